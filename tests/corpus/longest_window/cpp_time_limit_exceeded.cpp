// Cubic: sums up each block again.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    long long bound;
    scanf("%d %lld", &n, &bound);
    vector<int> a(n);
    for (int& x : a) scanf("%d", &x);
    int best = 0;
    for (int length = 1; length <= n; length++)
        for (int left = 0; left + length <= n; left++)
            if (accumulate(a.begin() + left, a.begin() + left + length, 0LL) <= bound) best = max(best, length);
    printf("%d\n", best);
}
