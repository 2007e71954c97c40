#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    vector<int> a(n), tree(n + 1);
    for (int &x : a) scanf("%d", &x);
    vector<int> values = a;
    sort(values.begin(), values.end());
    long long count = 0;
    for (int i = n - 1; i >= 0; i--) {
        int rank = lower_bound(values.begin(), values.end(), a[i]) - values.begin();
        for (int j = rank; j; j -= j & -j) count += tree[j];
        for (int j = rank + 1; j <= n; j += j & -j) tree[j]++;
    }
    printf("%lld\n", count);
}
