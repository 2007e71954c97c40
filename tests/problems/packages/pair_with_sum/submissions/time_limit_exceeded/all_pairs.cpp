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
        volatile bool found = false;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                if (i != j) found = found || a[i] + a[j] == s;
        puts(found ? "yes" : "no");
    }
}
