#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, m;
    scanf("%d %d", &n, &m);
    vector<vector<pair<int, int>>> roads(n + 1);
    for (int a, b, c; m-- && scanf("%d %d %d", &a, &b, &c) == 3;) roads[a].push_back({b, c}), roads[b].push_back({a, c});
    vector<unsigned> best(n + 1, UINT_MAX);
    priority_queue<pair<unsigned, int>, vector<pair<unsigned, int>>, greater<>> heap;
    best[1] = 0;
    heap.push({0, 1});
    vector<bool> done(n + 1);
    while (!heap.empty()) {
        auto [length, town] = heap.top();
        heap.pop();
        if (done[town]) continue;
        done[town] = true;
        for (auto [other, c] : roads[town])
            if (length + c < best[other]) best[other] = length + c, heap.push({best[other], other});
    }
    printf("%d\n", best[n] == UINT_MAX ? -1 : (int)best[n]);
}
