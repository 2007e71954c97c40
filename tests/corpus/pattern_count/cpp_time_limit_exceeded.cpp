// The fall-back step uses f[k] where f[k - 1] is meant, and can stay where it is for ever.
#include <bits/stdc++.h>
using namespace std;

int main() {
    string t, p;
    cin >> t >> p;
    int m = p.size();
    vector<int> f(m + 1);
    volatile long long steps = 0;
    for (int i = 1, k = 0; i < m; i++) {
        while (k && p[i] != p[k]) {
            k = f[k] < k ? f[k] : k;
            steps = steps + 1;
        }
        if (p[i] == p[k]) k++;
        f[i] = k;
    }
    int found = 0;
    for (size_t at = t.find(p); at != string::npos; at = t.find(p, at + 1)) found++;
    printf("%d %d\n", found, f[m - 1]);
}
