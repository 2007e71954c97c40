#include <bits/stdc++.h>
using namespace std;

int main() {
    ios::sync_with_stdio(false);
    int n;
    long long bound;
    cin >> n >> bound;
    vector<long long> sum(n + 1);
    int best = 0;
    for (int i = 1; i <= n; i++) {
        cin >> sum[i];
        sum[i] += sum[i - 1];
        int from = lower_bound(sum.begin(), sum.begin() + i + 1, sum[i] - bound) - sum.begin();
        best = max(best, i - from);
    }
    cout << best << "\n";
}
