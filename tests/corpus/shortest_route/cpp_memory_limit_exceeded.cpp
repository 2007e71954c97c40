// Floyd-Warshall style matrix of 64-bit distances.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m, s, t;
    cin >> n >> m >> s >> t;
    const long long inf = 1LL << 60;
    vector<vector<long long>> d(n + 1, vector<long long>(n + 1, inf));
    for (int i = 1; i <= n; i++) d[i][i] = 0;
    while (m--) {
        long long a, b, w;
        cin >> a >> b >> w;
        d[a][b] = min(d[a][b], w);
        d[b][a] = min(d[b][a], w);
    }
    for (int k = 1; k <= n; k++)
        for (int i = 1; i <= n; i++)
            for (int j = 1; j <= n; j++) d[i][j] = min(d[i][j], d[i][k] + d[k][j]);
    cout << (d[s][t] >= inf ? -1 : d[s][t]) << "\n";
}
