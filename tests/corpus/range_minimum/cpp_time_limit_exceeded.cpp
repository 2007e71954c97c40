// The way up the tree is rounded upwards, so it never gets past the root.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, q;
    cin >> n >> q;
    vector<int> a(n + 1);
    for (int i = 1; i <= n; i++) cin >> a[i];
    volatile int touched = 0;
    vector<int> lowest(2 * n + 2, INT_MAX);
    while (q--) {
        char kind;
        int x, y;
        cin >> kind >> x >> y;
        if (kind == 'U') {
            a[x] = y;
            for (int i = x + n; i > 0; i = (i + 1) / 2) {
                lowest[i] = min(lowest[i], y);
                touched = i;
            }
        } else {
            cout << *min_element(a.begin() + x, a.begin() + y + 1) << "\n";
        }
    }
    return touched < 0;
}
