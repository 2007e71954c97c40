// Reduces the products only after they were cut down to 32 bits.
#include <bits/stdc++.h>
using namespace std;
typedef array<array<unsigned, 5>, 5> M;

M mul(const M& a, const M& b) {
    M c{};
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 5; j++) {
            for (int t = 0; t < 5; t++) c[i][j] += a[i][t] * b[t][j];
            c[i][j] %= 1000000007u;
        }
    return c;
}

int main() {
    int k;
    long long n;
    cin >> k >> n;
    vector<unsigned> start(k);
    for (auto& x : start) cin >> x;
    M step{}, power{};
    for (int j = 0; j < k; j++) cin >> step[k - 1][k - 1 - j];
    for (int i = 0; i + 1 < k; i++) step[i][i + 1] = 1;
    for (int i = 0; i < 5; i++) power[i][i] = 1;
    for (; n; n >>= 1, step = mul(step, step))
        if (n & 1) power = mul(power, step);
    unsigned answer = 0;
    for (int j = 0; j < k; j++) answer += power[0][j] * start[j];
    cout << answer % 1000000007u << "\n";
}
