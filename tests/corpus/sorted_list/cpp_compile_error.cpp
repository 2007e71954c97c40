#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<int> a(n);
    for (auto& x : a) cin >> x;
    sort(a);
    cout << accumulate(a.begin(), a.end(), 0LL) << "\n";
    for (int x : a) cout << x << " ";
}
