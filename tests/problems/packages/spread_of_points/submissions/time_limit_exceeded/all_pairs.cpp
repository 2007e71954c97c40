#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    vector<pair<long double, long double>> points(n);
    for (auto &[x, y] : points) scanf("%Lf %Lf", &x, &y);
    long double total = 0;
    for (auto [x, y] : points)
        for (auto [a, b] : points) total += powl(hypotl(x - a, y - b), 2);
    printf("%.12Lf\n", sqrtl(total / n / (n - 1)));
}
