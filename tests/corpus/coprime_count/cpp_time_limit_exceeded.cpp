// A gcd for each number up to N.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int q;
    cin >> q;
    while (q--) {
        long long n, coprime = 0, divisors = 0;
        cin >> n;
        for (long long k = 1; k <= n; k++) {
            long long g = gcd(k, n);
            coprime += g == 1;
            divisors += g == k;
        }
        cout << coprime << " " << divisors << endl;
    }
}
