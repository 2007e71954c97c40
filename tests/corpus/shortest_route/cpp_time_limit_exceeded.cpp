// Walks over every simple path, with no pruning at all.
#include <bits/stdc++.h>
using namespace std;

vector<vector<pair<int, long long>>> g;
vector<char> used;
long long best = -1;
int target;

void walk(int v, long long d) {
    if (v == target && (best < 0 || d < best)) best = d;
    used[v] = 1;
    for (auto [u, w] : g[v])
        if (!used[u]) walk(u, d + w);
    used[v] = 0;
}

int main() {
    int n, m, s;
    cin >> n >> m >> s >> target;
    g.resize(n + 1);
    used.resize(n + 1);
    while (m--) {
        int a, b, w;
        cin >> a >> b >> w;
        g[a].push_back({b, w});
        g[b].push_back({a, w});
    }
    walk(s, 0);
    cout << best << endl;
}
