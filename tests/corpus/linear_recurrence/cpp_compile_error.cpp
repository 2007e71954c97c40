#include <bits/stdc++.h>
using namespace std;

int main() {
    int k;
    long long n;
    cin >> k >> n;
    vector<long long> start(k);
    for (auto& x : start) cin >> x;
    Matrix step(k, k);
    for (; n; n /= 2) step = step * step;
    cout << step.apply(start)[0] << "\n";
}
