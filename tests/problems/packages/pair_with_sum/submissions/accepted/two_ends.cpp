#include <bits/stdc++.h>
using namespace std;
int main() {
    int t;
    cin >> t;
    while (t--) {
        long long n, s;
        cin >> n >> s;
        vector<long long> a(n);
        for (auto &x : a) cin >> x;
        sort(a.begin(), a.end());
        int i = 0, j = n - 1;
        while (i < j && a[i] + a[j] != s) a[i] + a[j] < s ? i++ : j--;
        puts(i < j ? "yes" : "no");
    }
}
