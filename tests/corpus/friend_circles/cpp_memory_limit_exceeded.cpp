// Table of who belongs with whom, as plain ints.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, q;
    cin >> n >> q;
    vector<vector<int>> together(n, vector<int>(n));
    for (int i = 0; i < n; i++) together[i][i] = 1;
    while (q--) {
        char event;
        int a, b;
        cin >> event;
        if (event == 'J') {
            cin >> a >> b;
            a--, b--;
            if (together[a][b]) continue;
            vector<int> left, right;
            for (int i = 0; i < n; i++) {
                if (together[a][i]) left.push_back(i);
                if (together[b][i]) right.push_back(i);
            }
            for (int i : left)
                for (int j : right) together[i][j] = together[j][i] = 1;
        } else if (event == 'S') {
            cin >> a;
            cout << accumulate(together[a - 1].begin(), together[a - 1].end(), 0) << "\n";
        } else {
            int circles = 0;
            for (int i = 0; i < n; i++)
                circles += find(together[i].begin(), together[i].end(), 1) - together[i].begin() == i;
            cout << circles << "\n";
        }
    }
}
