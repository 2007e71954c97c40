// Collects (sum, length) of all blocks and sorts them.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    long long bound;
    scanf("%d %lld", &n, &bound);
    vector<long long> a(n);
    for (auto& x : a) scanf("%lld", &x);
    vector<pair<long long, int>> blocks;
    for (int left = 0; left < n; left++) {
        long long total = 0;
        for (int right = left; right < n; right++) {
            total += a[right];
            blocks.push_back({total, right - left + 1});
        }
    }
    sort(blocks.begin(), blocks.end());
    int best = 0;
    for (auto [total, length] : blocks)
        if (total <= bound) best = max(best, length);
    printf("%d\n", best);
}
