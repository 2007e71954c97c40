// Table of all distances between trees.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    set<pair<double, double>> spots;
    while (n--) {
        double x, y;
        cin >> x >> y;
        spots.insert({x, y});
    }
    vector<pair<double, double>> p(spots.begin(), spots.end());
    n = p.size();
    vector<vector<double>> dist(n, vector<double>(n));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) dist[i][j] = hypot(p[j].first - p[i].first, p[j].second - p[i].second);
    double length = 0, area = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            bool edge = i != j;
            double dx = p[j].first - p[i].first, dy = p[j].second - p[i].second;
            for (int k = 0; k < n && edge; k++) {
                double turn = dx * (p[k].second - p[i].second) - dy * (p[k].first - p[i].first);
                if (turn < 0 || (turn == 0 && max(dist[i][k], dist[j][k]) > dist[i][j])) edge = false;
            }
            if (!edge) continue;
            length += dist[i][j];
            area += p[i].first * p[j].second - p[i].second * p[j].first;
        }
    printf("%.9f %.9f\n", length, area / 2);
}
