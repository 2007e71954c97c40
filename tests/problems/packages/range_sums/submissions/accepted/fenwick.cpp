#include <bits/stdc++.h>
using namespace std;
int main() {
    ios::sync_with_stdio(false), cin.tie(nullptr);
    int n, q;
    cin >> n >> q;
    vector<long long> tree(n + 1);
    for (int i = 1; i <= n; i++) {
        long long x;
        cin >> x;
        for (int j = i; j <= n; j += j & -j) tree[j] += x;
    }
    auto sum = [&](int i) {
        long long total = 0;
        for (; i; i -= i & -i) total += tree[i];
        return total;
    };
    for (int l, r; q-- && cin >> l >> r;) cout << sum(r) - sum(l - 1) << '\n';
}
