// A table of a thousand values; asking for more is an unhandled error.
#include <bits/stdc++.h>
using namespace std;

struct TooFar : exception {
    const char* what() const noexcept override { return "index beyond the table"; }
};

int main() {
    long long k, n;
    cin >> k >> n;
    vector<long long> f(1000), c(k);
    for (int i = 0; i < k; i++) cin >> f[i];
    for (auto& x : c) cin >> x;
    for (int i = k; i < 1000; i++)
        for (int j = 0; j < k; j++) f[i] = (f[i] + c[j] * f[i - 1 - j]) % 1000000007;
    if (n >= 1000) throw TooFar();
    cout << f[n] % 1000000007 << "\n";
}
