// The classic totient sieve, one long long for each number up to N.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int q;
    cin >> q;
    while (q--) {
        size_t n;
        cin >> n;
        vector<long long> phi;
        for (size_t i = 0; i <= n; i++) phi.push_back(i);
        for (size_t p = 2; p <= n; p++)
            if (phi[p] == (long long)p)
                for (size_t k = p; k <= n; k += p) phi[k] -= phi[k] / p;
        size_t divisors = 0;
        for (size_t d = 1; d * d <= n; d++)
            if (n % d == 0) divisors += d * d == n ? 1 : 2;
        cout << phi[n] << " " << divisors << "\n";
    }
}
