#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, m;
    cin >> n >> m;
    vector<map<int, long long>> roads(n + 1);
    for (int a, b, c; m-- && cin >> a >> b >> c;) {
        for (auto [from, to] : {pair{a, b}, pair{b, a}})
            if (!roads[from].count(to) || roads[from][to] > c) roads[from][to] = c;
    }
    map<int, long long> best;
    set<pair<long long, int>> open = {{0, 1}};
    while (!open.empty()) {
        auto [length, town] = *open.begin();
        open.erase(open.begin());
        if (!best.insert({town, length}).second) continue;
        for (auto [other, c] : roads[town])
            if (!best.count(other)) open.insert({length + c, other});
    }
    cout << (best.count(n) ? best[n] : -1) << endl;
}
