#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<long long> values;
    long long sum = 0;
    for (int i = 0; i < n; i++) {
        long long x;
        cin >> x;
        sum += x;
        values.push_back(x);
    }
    stable_sort(values.begin(), values.end());
    cout << sum << endl;
    for (long long x : values) cout << x << " ";
    cout << endl;
}
