// Adjacency matrix of ints for ten thousand tasks.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m;
    cin >> n >> m;
    vector<vector<int>> before(n, vector<int>(n));
    vector<int> waits(n);
    while (m--) {
        int a, b;
        cin >> a >> b;
        before[a - 1][b - 1]++;
        waits[b - 1]++;
    }
    vector<int> order;
    for (int step = 0; step < n; step++) {
        int v = find(waits.begin(), waits.end(), 0) - waits.begin();
        if (v == n) {
            puts("CYCLE");
            return 0;
        }
        waits[v] = -1;
        order.push_back(v + 1);
        for (int u = 0; u < n; u++)
            if (before[v][u]) waits[u] -= before[v][u];
    }
    for (int i = 0; i < n; i++) printf("%d%c", order[i], i + 1 < n ? ' ' : '\n');
}
