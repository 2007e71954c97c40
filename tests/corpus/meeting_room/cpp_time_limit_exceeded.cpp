// Checks each of the 2^n subsets.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<pair<int, int>> m(n);
    for (auto& [s, e] : m) cin >> s >> e;
    sort(m.begin(), m.end());
    int best = 0;
    vector<char> take(n);
    while (true) {
        int count = 0, until = 0;
        for (int i = 0; i < n; i++) {
            if (!take[i]) continue;
            count = m[i].first < until ? -n : count + 1;
            until = max(until, m[i].second);
        }
        best = max(best, count);
        int i = 0;
        while (i < n && take[i]) take[i++] = 0;
        if (i == n) break;
        take[i] = 1;
    }
    cout << best << endl;
}
