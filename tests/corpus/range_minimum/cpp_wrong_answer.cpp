// An update can only lower the minima on the way up, never raise them.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, q;
    cin >> n >> q;
    vector<int> t(2 * n, INT_MAX);
    auto put = [&](int i, int x) {
        t[i += n] = x;
        while (i /= 2) t[i] = min(t[i], x);
    };
    for (int i = 0; i < n; i++) {
        int x;
        cin >> x;
        put(i, x);
    }
    while (q--) {
        char kind;
        int a, b;
        cin >> kind >> a >> b;
        if (kind == 'U') {
            put(a - 1, b);
            continue;
        }
        int best = INT_MAX;
        for (a += n - 1, b += n; a < b; a /= 2, b /= 2) {
            if (a & 1) best = min(best, t[a++]);
            if (b & 1) best = min(best, t[--b]);
        }
        cout << best << "\n";
    }
}
