#include <bits/stdc++.h>
using namespace std;
int main() {
    long long t, n, s;
    cin >> t >> n >> s;
    set<long long> seen;
    bool found = false;
    for (long long x; n-- && cin >> x; seen.insert(x)) found |= seen.count(s - x);
    puts(found ? "yes" : "no");
}
