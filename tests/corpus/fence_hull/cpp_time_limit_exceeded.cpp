// Checks every ordered pair of trees against all others, and never stops early.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    set<pair<long long, long long>> spots;
    for (int i = 0; i < n; i++) {
        long long x, y;
        cin >> x >> y;
        spots.insert({x, y});
    }
    vector<pair<long long, long long>> p(spots.begin(), spots.end());
    double length = 0, area = 0;
    for (auto& a : p)
        for (auto& b : p) {
            if (a == b) continue;
            long long dx = b.first - a.first, dy = b.second - a.second;
            int bad = 0;
            for (auto& c : p) {
                long long ex = c.first - a.first, ey = c.second - a.second;
                long long turn = dx * ey - dy * ex, along = dx * ex + dy * ey;
                if (turn < 0 || (turn == 0 && (along < 0 || along > dx * dx + dy * dy))) bad++;
            }
            if (bad) continue;
            length += sqrt((double)(dx * dx + dy * dy));
            area += a.first * b.second - a.second * b.first;
        }
    printf("%.9f %.9f\n", length, area / 2);
}
