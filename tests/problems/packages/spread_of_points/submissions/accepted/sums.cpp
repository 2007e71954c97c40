#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    __int128 squares = 0, sx = 0, sy = 0;
    for (long long x, y, i = 0; i < n && scanf("%lld %lld", &x, &y) == 2; i++) squares += x * x + y * y, sx += x, sy += y;
    __int128 total = n * squares - sx * sx - sy * sy;
    printf("%.12f\n", sqrt((double)total / ((double)n * (n - 1) / 2)));
}
