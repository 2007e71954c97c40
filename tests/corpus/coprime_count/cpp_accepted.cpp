#include <bits/stdc++.h>
using namespace std;

int main() {
    int q;
    cin >> q;
    while (q--) {
        long long n;
        cin >> n;
        long long phi = 1, divisors = 1;
        for (long long p = 2; p * p <= n; p++) {
            if (n % p) continue;
            long long power = 0, part = 1;
            while (n % p == 0) n /= p, power++, part *= p;
            phi *= part / p * (p - 1);
            divisors *= power + 1;
        }
        if (n > 1) phi *= n - 1, divisors *= 2;
        cout << phi << " " << divisors << "\n";
    }
}
