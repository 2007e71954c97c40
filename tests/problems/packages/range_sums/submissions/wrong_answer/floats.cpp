#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, q;
    scanf("%d %d", &n, &q);
    vector<float> sums(n + 1);
    for (int i = 1; i <= n; i++) scanf("%f", &sums[i]), sums[i] += sums[i - 1];
    for (int l, r; q-- && scanf("%d %d", &l, &r) == 2;) printf("%.0f\n", sums[r] - sums[l - 1]);
}
