#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    float squares = 0, sx = 0, sy = 0;
    for (float x, y; scanf("%f %f", &x, &y) == 2;) squares += x * x + y * y, sx += x, sy += y;
    printf("%.9f\n", sqrt(fabs(n * squares - sx * sx - sy * sy) / (n * (n - 1.0) / 2)));
}
