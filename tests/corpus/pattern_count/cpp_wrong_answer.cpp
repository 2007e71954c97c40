// After a match the search restarts from scratch.
#include <bits/stdc++.h>
using namespace std;

int main() {
    string t, p;
    cin >> t >> p;
    int m = p.size();
    vector<int> f(m);
    for (int i = 1, k = 0; i < m; i++) {
        while (k && p[i] != p[k]) k = f[k - 1];
        if (p[i] == p[k]) k++;
        f[i] = k;
    }
    int found = 0, k = 0;
    for (char c : t) {
        while (k && p[k] != c) k = f[k - 1];
        if (p[k] == c) k++;
        if (k == m) {
            found++;
            k = 0;
        }
    }
    printf("%d %d\n", found, f[m - 1]);
}
