#include <bits/stdc++.h>
using namespace std;
typedef vector<vector<long long>> Matrix;
const long long MOD = 1000000007;

Matrix operator*(const Matrix& a, const Matrix& b) {
    Matrix c(a.size(), vector<long long>(b[0].size()));
    for (size_t i = 0; i < a.size(); i++)
        for (size_t t = 0; t < b.size(); t++)
            for (size_t j = 0; j < b[0].size(); j++) c[i][j] = (c[i][j] + a[i][t] * b[t][j]) % MOD;
    return c;
}

int main() {
    int k;
    long long n;
    cin >> k >> n;
    Matrix state(k, vector<long long>(1)), step(k, vector<long long>(k));
    for (auto& row : state) cin >> row[0];
    for (int i = 0; i + 1 < k; i++) step[i][i + 1] = 1;
    for (int i = k - 1; i >= 0; i--) cin >> step[k - 1][i];
    for (; n; n /= 2) {
        if (n % 2) state = step * state;
        step = step * step;
    }
    cout << state[0][0] % MOD << "\n";
}
