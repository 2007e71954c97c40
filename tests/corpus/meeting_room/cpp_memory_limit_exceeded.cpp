// Full table of which meetings clash.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<pair<int, int>> m(n);
    for (auto& [e, s] : m) cin >> s >> e;
    sort(m.begin(), m.end());
    vector<vector<int>> clash(n, vector<int>(n, 0));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) clash[i][j] = m[i].second < m[j].first && m[j].second < m[i].first;
    int count = 0, last = -1;
    for (int i = 0; i < n; i++)
        if (last < 0 || !clash[last][i]) {
            last = i;
            count++;
        }
    cout << count << "\n";
}
