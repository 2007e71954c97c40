// next_permutation until the rules are met.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m;
    cin >> n >> m;
    vector<pair<int, int>> rules(m);
    for (auto& [a, b] : rules) cin >> a >> b;
    vector<int> order(n), place(n + 1);
    iota(order.begin(), order.end(), 1);
    do {
        for (int i = 0; i < n; i++) place[order[i]] = i;
        bool fine = true;
        for (auto [a, b] : rules) fine = fine && place[a] < place[b];
        if (fine) {
            for (int i = 0; i < n; i++) printf("%d%c", order[i], i + 1 < n ? ' ' : '\n');
            return 0;
        }
    } while (next_permutation(order.begin(), order.end()));
    puts("CYCLE");
}
