// Forgets to halve the cross products, so the area is doubled.
#include <bits/stdc++.h>
using namespace std;
typedef complex<double> pt;

double cross(pt a, pt b) { return imag(conj(a) * b); }

int main() {
    int n;
    cin >> n;
    vector<pair<double, double>> in(n);
    for (auto& [x, y] : in) cin >> x >> y;
    sort(in.begin(), in.end());
    in.erase(unique(in.begin(), in.end()), in.end());
    vector<pt> hull;
    for (int pass = 0; pass < 2; pass++) {
        size_t base = hull.size();
        for (auto [x, y] : in) {
            pt p(x, y);
            while (hull.size() >= base + 2 && cross(hull.back() - hull[hull.size() - 2], p - hull.back()) <= 0)
                hull.pop_back();
            hull.push_back(p);
        }
        hull.pop_back();
        reverse(in.begin(), in.end());
    }
    double length = 0, area = 0;
    for (size_t i = 0; i < hull.size(); i++) {
        pt a = hull[i], b = hull[(i + 1) % hull.size()];
        length += abs(b - a);
        area += cross(a, b);
    }
    cout << setprecision(12) << length << " " << area << "\n";
}
