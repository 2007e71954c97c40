#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, q;
    scanf("%d %d", &n, &q);
    vector<long long> sums(n + 1);
    for (int i = 1; i <= n; i++) scanf("%lld", &sums[i]), sums[i] += sums[i - 1];
    for (int l, r; q-- && scanf("%d %d", &l, &r) == 2;) printf("%lld\n", sums[r] - sums[l - 1]);
}
