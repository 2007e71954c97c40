#include <bits/stdc++.h>
using namespace std;
int main() {
    int t;
    cin >> t;
    while (t--) {
        long long n, s, before, x;
        cin >> n >> s >> before;
        bool found = false;
        for (n--; n--; before = x) cin >> x, found |= before + x == s;
        puts(found ? "yes" : "no");
    }
}
