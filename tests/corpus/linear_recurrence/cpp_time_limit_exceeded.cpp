// Straight simulation of n steps.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int k;
    long long n;
    cin >> k >> n;
    deque<long long> f(k);
    vector<long long> c(k);
    for (auto& x : f) cin >> x;
    for (auto& x : c) cin >> x;
    while (n--) {
        long long next = 0;
        for (int j = 0; j < k; j++) next = (next + c[j] * f[k - 1 - j]) % 1000000007;
        f.push_back(next);
        f.pop_front();
    }
    cout << f[0] % 1000000007 << endl;
}
