// Insists on a real polygon, although trees in a row are allowed.
#include <bits/stdc++.h>
using namespace std;
typedef pair<long long, long long> P;

long long cross(P a, P b, P c) {
    return (b.first - a.first) * (c.second - a.second) - (b.second - a.second) * (c.first - a.first);
}

int main() {
    int n;
    cin >> n;
    vector<P> p(n), h;
    for (auto& [x, y] : p) cin >> x >> y;
    sort(p.begin(), p.end());
    for (int pass = 0; pass < 2; pass++) {
        size_t base = h.size();
        for (P q : p) {
            while (h.size() >= base + 2 && cross(h[h.size() - 2], h.back(), q) <= 0) h.pop_back();
            h.push_back(q);
        }
        h.pop_back();
        reverse(p.begin(), p.end());
    }
    if (h.size() < 3) abort();
    double length = 0, area = 0;
    for (size_t i = 0; i < h.size(); i++) {
        P a = h[i], b = h[(i + 1) % h.size()];
        length += hypot(b.first - a.first, b.second - a.second);
        area += a.first * b.second - a.second * b.first;
    }
    printf("%.7f %.7f\n", length, area / 2);
}
