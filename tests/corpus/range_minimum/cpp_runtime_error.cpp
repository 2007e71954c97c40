// Square-root blocks, but the block length comes out as zero for a short array.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, q;
    cin >> n >> q;
    vector<int> a(n);
    for (int& x : a) cin >> x;
    volatile int block = n / 100;
    vector<int> low(n + 1, INT_MAX);
    for (int i = 0; i < n; i++) low[i / block] = min(low[i / block], a[i]);
    while (q--) {
        char kind;
        int x, y;
        cin >> kind >> x >> y;
        if (kind == 'U') {
            a[--x] = y;
            int b = x / block;
            low[b] = INT_MAX;
            for (int i = b * block; i < min(n, (b + 1) * block); i++) low[b] = min(low[b], a[i]);
        } else {
            int best = INT_MAX;
            for (int i = x - 1; i < y;) {
                if (i % block == 0 && i + block <= y) {
                    best = min(best, low[i / block]);
                    i += block;
                } else {
                    best = min(best, a[i++]);
                }
            }
            cout << best << "\n";
        }
    }
}
