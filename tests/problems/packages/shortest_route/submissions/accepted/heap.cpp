#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, m;
    scanf("%d %d", &n, &m);
    vector<vector<pair<int, int>>> roads(n + 1);
    while (m--) {
        int a, b, c;
        scanf("%d %d %d", &a, &b, &c);
        roads[a].push_back({b, c});
        roads[b].push_back({a, c});
    }
    vector<long long> best(n + 1, LLONG_MAX);
    priority_queue<pair<long long, int>> heap;
    best[1] = 0;
    heap.push({0, 1});
    while (!heap.empty()) {
        auto [length, town] = heap.top();
        heap.pop();
        if (-length > best[town]) continue;
        for (auto [other, c] : roads[town])
            if (c - length < best[other]) best[other] = c - length, heap.push({length - c, other});
    }
    printf("%lld\n", best[n] == LLONG_MAX ? -1 : best[n]);
}
