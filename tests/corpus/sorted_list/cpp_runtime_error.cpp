// Room for a thousand numbers only.
#include <bits/stdc++.h>
using namespace std;

array<int, 1000> a;

int main() {
    int n;
    cin >> n;
    long long sum = 0;
    for (int i = 0; i < n; i++) {
        cin >> a.at(i);
        sum += a[i];
    }
    sort(a.begin(), a.begin() + n);
    cout << sum << "\n";
    for (int i = 0; i < n; i++) cout << a[i] << " \n"[i + 1 == n];
}
