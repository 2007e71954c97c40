// Multiplies p - 1 once only, as if no square divided N.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int q;
    cin >> q;
    while (q--) {
        long long n;
        cin >> n;
        map<long long, int> factors;
        for (long long p = 2; p * p <= n; p++)
            while (n % p == 0) n /= p, factors[p]++;
        if (n > 1) factors[n]++;
        long long phi = 1, divisors = 1;
        for (auto [p, e] : factors) phi *= p - 1, divisors *= e + 1;
        cout << phi << " " << divisors << "\n";
    }
}
