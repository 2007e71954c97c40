#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m, s, t;
    scanf("%d %d %d %d", &n, &m, &s, &t);
    vector<vector<pair<int, long long>>> g(n + 1);
    for (int i = 0; i < m; i++) {
        int a, b;
        long long w;
        scanf("%d %d %lld", &a, &b, &w);
        g[a].push_back({b, w});
        g[b].push_back({a, w});
    }
    vector<long long> dist(n + 1, LLONG_MAX);
    priority_queue<pair<long long, int>, vector<pair<long long, int>>, greater<>> q;
    dist[s] = 0;
    q.push({0, s});
    while (!q.empty()) {
        auto [d, v] = q.top();
        q.pop();
        if (d > dist[v]) continue;
        for (auto [u, w] : g[v]) {
            if (d + w < dist[u]) {
                dist[u] = d + w;
                q.push({d + w, u});
            }
        }
    }
    printf("%lld\n", dist[t] == LLONG_MAX ? -1LL : dist[t]);
}
