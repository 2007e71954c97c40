// The distance table has n slots, so the last crossing is out of range.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m, s, t;
    cin >> n >> m >> s >> t;
    vector<array<long long, 3>> roads(m);
    for (auto& [a, b, w] : roads) cin >> a >> b >> w;
    vector<long long> dist(n, 1LL << 60);
    dist.at(s) = 0;
    for (int round = 0; round < n; round++)
        for (auto& [a, b, w] : roads) {
            dist.at(b) = min(dist.at(b), dist.at(a) + w);
            dist.at(a) = min(dist.at(a), dist.at(b) + w);
        }
    cout << (dist.at(t) >= (1LL << 60) ? -1 : dist.at(t)) << "\n";
}
