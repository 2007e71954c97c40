// Takes the value of an empty optional when nothing fits.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    long long bound;
    cin >> n >> bound;
    vector<long long> a(n);
    for (auto& x : a) cin >> x;
    optional<int> best;
    long long total = 0;
    for (int left = 0, right = 0; right < n; right++) {
        total += a[right];
        while (total > bound) total -= a[left++];
        int length = right - left + 1;
        if (length > best.value_or(0)) best = length;
    }
    cout << best.value() << "\n";
}
