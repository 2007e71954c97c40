#include <bits/stdc++.h>
using namespace std;
typedef long long ll;
typedef pair<ll, ll> P;

ll cross(P a, P b, P c) {
    return (b.first - a.first) * (c.second - a.second) - (b.second - a.second) * (c.first - a.first);
}

int main() {
    int n;
    cin >> n;
    vector<P> p(n);
    for (auto& [x, y] : p) cin >> x >> y;
    sort(p.begin(), p.end());
    p.erase(unique(p.begin(), p.end()), p.end());
    n = p.size();
    vector<P> h(2 * n + 2);
    int k = 0;
    for (int i = 0; i < n; i++) {
        while (k >= 2 && cross(h[k - 2], h[k - 1], p[i]) <= 0) k--;
        h[k++] = p[i];
    }
    for (int i = n - 2, low = k + 1; i >= 0; i--) {
        while (k >= low && cross(h[k - 2], h[k - 1], p[i]) <= 0) k--;
        h[k++] = p[i];
    }
    double length = 0;
    ll twice = 0;
    for (int i = 0; i + 1 < k; i++) {
        length += hypot(h[i + 1].first - h[i].first, h[i + 1].second - h[i].second);
        twice += h[i].first * h[i + 1].second - h[i].second * h[i + 1].first;
    }
    printf("%.8f %.8f\n", length, twice / 2.0);
}
