// Counts one circle less at every event, even when both are friends already.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, q;
    cin >> n >> q;
    vector<int> head(n + 1), size(n + 1, 1);
    iota(head.begin(), head.end(), 0);
    auto find = [&](int x) {
        while (head[x] != x) x = head[x] = head[head[x]];
        return x;
    };
    int circles = n;
    for (string event; cin >> event;) {
        int a, b;
        if (event == "J") {
            cin >> a >> b;
            a = find(a), b = find(b);
            if (a != b) {
                head[a] = b;
                size[b] += size[a];
            }
            circles--;
        } else if (event == "S") {
            cin >> a;
            cout << size[find(a)] << "\n";
        } else {
            cout << circles << "\n";
        }
    }
}
