#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    vector<int> a(n);
    for (int &x : a) scanf("%d", &x);
    long long swaps = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 1; i < n; i++)
            if (a[i - 1] > a[i]) swap(a[i - 1], a[i]), swaps++, moved = true;
    }
    printf("%lld\n", swaps);
}
