// Treats N = 1 as bad input and leaves with an exit status.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int q;
    cin >> q;
    while (q--) {
        long long n;
        cin >> n;
        if (n < 2) return 3;
        long long phi = n, divisors = 1;
        for (long long p = 2; p * p <= n; p++) {
            int e = 0;
            for (; n % p == 0; n /= p) e++;
            if (e) phi = phi / p * (p - 1);
            divisors *= e + 1;
        }
        if (n > 1) phi = phi / n * (n - 1), divisors *= 2;
        cout << phi << " " << divisors << "\n";
    }
}
