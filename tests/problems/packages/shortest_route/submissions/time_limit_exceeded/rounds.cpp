#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, m;
    scanf("%d %d", &n, &m);
    vector<array<int, 3>> roads(m);
    for (auto &[a, b, c] : roads) scanf("%d %d %d", &a, &b, &c);
    vector<long long> best(n + 1, 4e18);
    best[1] = 0;
    for (int round = 0; round < n * 4; round++)
        for (auto [a, b, c] : roads) best[b] = min(best[b], best[a] + c), best[a] = min(best[a], best[b] + c);
    printf("%lld\n", best[n] > 1e18 ? -1 : best[n]);
}
