// Remembers all values up to n.
#include <bits/stdc++.h>
using namespace std;

int main() {
    long long k, n;
    cin >> k >> n;
    list<long long> values;
    vector<long long> c(k);
    for (int i = 0; i < k; i++) {
        long long x;
        cin >> x;
        values.push_back(x);
    }
    for (auto& x : c) cin >> x;
    while ((long long)values.size() <= n) {
        long long next = 0;
        auto at = values.end();
        for (int j = 0; j < k; j++) next = (next + c[j] * *--at) % 1000000007;
        values.push_back(next);
    }
    cout << *next(values.begin(), n) % 1000000007 << "\n";
}
