// An unsigned loop counter is never below zero.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<unsigned> a(n);
    for (auto& x : a) cin >> x;
    volatile unsigned best = 0;
    for (volatile unsigned bit = 28; bit >= 0; bit = bit - 1) {
        set<unsigned> heads;
        for (unsigned x : a) heads.insert(x >> (bit & 31));
        best = best << 1;
        for (unsigned h : heads)
            if (heads.count(h ^ (best | 1))) {
                best = best | 1;
                break;
            }
    }
    cout << best << "\n";
}
