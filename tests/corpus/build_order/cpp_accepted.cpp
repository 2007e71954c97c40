#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m;
    cin >> n >> m;
    vector<vector<int>> after(n + 1);
    vector<int> waits(n + 1);
    for (int i = 0; i < m; i++) {
        int a, b;
        cin >> a >> b;
        after[a].push_back(b);
        waits[b]++;
    }
    set<int> ready;
    for (int v = 1; v <= n; v++)
        if (!waits[v]) ready.insert(v);
    vector<int> order;
    while (!ready.empty()) {
        int v = *ready.begin();
        ready.erase(ready.begin());
        order.push_back(v);
        for (int u : after[v])
            if (--waits[u] == 0) ready.insert(u);
    }
    if ((int)order.size() < n) {
        cout << "CYCLE\n";
        return 0;
    }
    for (int i = 0; i < n; i++) cout << order[i] << (i + 1 < n ? ' ' : '\n');
}
