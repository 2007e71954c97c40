// Distances kept in 32 bits.
#include <bits/stdc++.h>
using namespace std;

int main() {
    unsigned n, m, s, t;
    cin >> n >> m >> s >> t;
    vector<vector<pair<unsigned, unsigned>>> g(n + 1);
    for (unsigned i = 0; i < m; i++) {
        unsigned a, b, w;
        cin >> a >> b >> w;
        g[a].push_back({b, w});
        g[b].push_back({a, w});
    }
    const unsigned inf = 2000000000u;
    vector<unsigned> dist(n + 1, inf);
    priority_queue<pair<unsigned, unsigned>, vector<pair<unsigned, unsigned>>, greater<>> q;
    dist[s] = 0;
    q.push({0, s});
    while (!q.empty()) {
        auto [d, v] = q.top();
        q.pop();
        if (d > dist[v]) continue;
        for (auto [u, w] : g[v])
            if (d + w < dist[u]) {
                dist[u] = d + w;
                q.push({dist[u], u});
            }
    }
    if (dist[t] == inf) cout << "-1\n";
    else cout << dist[t] << "\n";
}
