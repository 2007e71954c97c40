// Answers for all ranges are written down in advance.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, q;
    cin >> n >> q;
    vector<int> a(n);
    for (int& x : a) cin >> x;
    vector<vector<int>> low(n);
    auto fill_row = [&](int i, int limit) {
        low[i].assign(n, INT_MAX);
        int best = INT_MAX;
        for (int j = i; j < limit; j++) low[i][j] = best = min(best, a[j]);
    };
    for (int i = 0; i < n; i++) fill_row(i, n);
    while (q--) {
        char kind;
        int x, y;
        cin >> kind >> x >> y;
        if (kind == 'U') {
            a[x - 1] = y;
            for (int i = 0; i < x; i++) fill_row(i, n);
        } else {
            cout << low[x - 1][y - 1] << "\n";
        }
    }
}
