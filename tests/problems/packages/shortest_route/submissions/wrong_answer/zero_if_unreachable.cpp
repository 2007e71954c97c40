#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, m;
    scanf("%d %d", &n, &m);
    vector<vector<pair<int, int>>> roads(n + 1);
    for (int a, b, c; m-- && scanf("%d %d %d", &a, &b, &c) == 3;) roads[a].push_back({b, c}), roads[b].push_back({a, c});
    map<int, long long> best;
    set<pair<long long, int>> open = {{0, 1}};
    while (!open.empty()) {
        auto [length, town] = *open.begin();
        open.erase(open.begin());
        if (!best.insert({town, length}).second) continue;
        for (auto [other, c] : roads[town]) open.insert({length + c, other});
    }
    printf("%lld\n", best[n]);
}
