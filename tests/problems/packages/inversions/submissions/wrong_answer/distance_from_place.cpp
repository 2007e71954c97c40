#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    cin >> n;
    vector<int> a(n);
    for (int &x : a) cin >> x;
    vector<int> sorted = a;
    sort(sorted.begin(), sorted.end());
    long long moved = 0;
    for (int i = 0; i < n; i++) moved += abs(int(lower_bound(sorted.begin(), sorted.end(), a[i]) - sorted.begin()) - i);
    cout << moved / 2 << endl;
}
