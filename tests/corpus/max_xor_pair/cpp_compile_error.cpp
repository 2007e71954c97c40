#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<int> a(n);
    for (int& x : a) cin >> x;
    const int best = 0;
    for (int x : a)
        for (int y : a) best = max(best, x ^ y);
    cout << best << "\n";
}
