// Reports a cycle by throwing, and nobody catches it.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m;
    cin >> n >> m;
    vector<set<int>> needs(n + 1), after(n + 1);
    while (m--) {
        int a, b;
        cin >> a >> b;
        needs[b].insert(a);
        after[a].insert(b);
    }
    set<int> ready;
    for (int v = 1; v <= n; v++)
        if (needs[v].empty()) ready.insert(v);
    for (int i = 1; i <= n; i++) {
        if (ready.empty()) throw runtime_error("no order exists");
        int v = *ready.begin();
        ready.erase(v);
        cout << v << (i < n ? " " : "\n");
        for (int u : after[v]) {
            needs[u].erase(v);
            if (needs[u].empty()) ready.insert(u);
        }
    }
}
