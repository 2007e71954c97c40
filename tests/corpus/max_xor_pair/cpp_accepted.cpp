#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<array<int, 2>> trie(1);
    auto insert = [&](int x) {
        int v = 0;
        for (int bit = 28; bit >= 0; bit--) {
            int side = x >> bit & 1;
            if (!trie[v][side]) {
                trie[v][side] = trie.size();
                trie.push_back({0, 0});
            }
            v = trie[v][side];
        }
    };
    int best = 0;
    while (n--) {
        int x, v = 0, value = 0;
        cin >> x;
        insert(x);
        for (int bit = 28; bit >= 0; bit--) {
            int side = x >> bit & 1;
            if (trie[v][!side]) {
                value |= 1 << bit;
                side = !side;
            }
            v = trie[v][side];
        }
        best = max(best, value);
    }
    cout << best << "\n";
}
