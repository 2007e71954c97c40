#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, q;
    scanf("%d %d", &n, &q);
    vector<unsigned> sums(n + 1);
    for (int i = 1, x; i <= n; i++) scanf("%d", &x), sums[i] = sums[i - 1] + x;
    for (int l, r; q-- && scanf("%d %d", &l, &r) == 2;) printf("%d\n", int(sums[r] - sums[l - 1]));
}
