#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, q;
    scanf("%d %d", &n, &q);
    list<long long> numbers(n);
    for (auto &x : numbers) scanf("%lld", &x);
    for (int l, r; q-- && scanf("%d %d", &l, &r) == 2;) {
        long long sum = 0, i = 0;
        for (long long x : numbers)
            if (++i >= l && i <= r) sum += x;
        printf("%lld\n", sum);
    }
}
