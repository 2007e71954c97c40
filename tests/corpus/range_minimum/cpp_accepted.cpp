#include <bits/stdc++.h>
using namespace std;

int main() {
    ios::sync_with_stdio(false);
    cin.tie(nullptr);
    int n, q, size = 1;
    cin >> n >> q;
    while (size < n) size *= 2;
    vector<int> t(2 * size, INT_MAX);
    for (int i = 0; i < n; i++) cin >> t[size + i];
    for (int i = size - 1; i; i--) t[i] = min(t[2 * i], t[2 * i + 1]);
    function<int(int, int, int, int, int)> query = [&](int v, int lo, int hi, int l, int r) {
        if (r < lo || hi < l) return INT_MAX;
        if (l <= lo && hi <= r) return t[v];
        int mid = (lo + hi) / 2;
        return min(query(2 * v, lo, mid, l, r), query(2 * v + 1, mid + 1, hi, l, r));
    };
    while (q--) {
        char kind;
        int a, b;
        cin >> kind >> a >> b;
        if (kind == 'U') {
            int i = size + a - 1;
            t[i] = b;
            while (i /= 2) t[i] = min(t[2 * i], t[2 * i + 1]);
        } else {
            cout << query(1, 1, size, a, b) << "\n";
        }
    }
}
