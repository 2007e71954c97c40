// Options and macros that take effect after the header.
#include <bits/stdc++.h>
#pragma GCC optimize("O3,unroll-loops")
#pragma GCC target("avx2,bmi,popcnt")
using namespace std;
#define int long long

signed main() {
    vector<int> a(1000);
    iota(a.begin(), a.end(), 1);
    int sum = 0;
    for (int x : a) sum += x * __builtin_popcountll(x);
    sort(a.rbegin(), a.rend());
    valarray<double> v{1, 2, 3};
    cout << sum << ' ' << a[0] << ' ' << accumulate(a.begin(), a.end(), 0LL) << ' ' << (v * v).sum() << '\n';
}
