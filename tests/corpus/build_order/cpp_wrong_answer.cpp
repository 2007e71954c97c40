// Never notices a cycle.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m;
    cin >> n >> m;
    vector<vector<int>> after(n + 1);
    vector<int> waits(n + 1);
    while (m--) {
        int a, b;
        cin >> a >> b;
        after[a].push_back(b);
        waits[b]++;
    }
    priority_queue<int, vector<int>, greater<int>> ready;
    for (int v = 1; v <= n; v++)
        if (!waits[v]) ready.push(v);
    const char* gap = "";
    while (!ready.empty()) {
        int v = ready.top();
        ready.pop();
        cout << gap << v;
        gap = " ";
        for (int u : after[v])
            if (!--waits[u]) ready.push(u);
    }
    cout << "\n";
}
