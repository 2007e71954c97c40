// Shortest meetings first.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<pair<int, int>> m(n);
    for (auto& [s, e] : m) cin >> s >> e;
    stable_sort(m.begin(), m.end(), [](auto& a, auto& b) { return a.second - a.first < b.second - b.first; });
    map<int, int> taken;
    for (auto [s, e] : m) {
        auto after = taken.lower_bound(s);
        if (after != taken.end() && after->first < e) continue;
        if (after != taken.begin() && prev(after)->second > s) continue;
        taken[s] = e;
    }
    cout << taken.size() << "\n";
}
