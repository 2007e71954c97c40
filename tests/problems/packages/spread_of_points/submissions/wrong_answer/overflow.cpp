#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    long long squares = 0, sx = 0, sy = 0;
    for (int x, y, i = 0; i < n && scanf("%d %d", &x, &y) == 2; i++) squares += x * x + y * y, sx += x, sy += y;
    printf("%.12f\n", sqrt((n * squares - sx * sx - sy * sy) / (n * (n - 1.0) / 2)));
}
