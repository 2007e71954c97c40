// The sum of many values does not fit in an int.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<int> a(n);
    for (auto& x : a) cin >> x;
    sort(a.begin(), a.end());
    unsigned sum = 0;
    for (int x : a) sum += x;
    cout << (int)sum << "\n";
    for (int x : a) cout << x << " ";
    cout << "\n";
}
