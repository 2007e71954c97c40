// Throws the whole window away as soon as it gets too heavy.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    long long bound, total = 0;
    cin >> n >> bound;
    int length = 0, best = 0;
    for (int i = 0; i < n; i++) {
        long long x;
        cin >> x;
        total += x;
        length++;
        if (total > bound) total = length = 0;
        best = max(best, length);
    }
    cout << best << "\n";
}
