#include <bits/stdc++.h>
using namespace std;

int parent_of[20005], size_of[20005];

int find(int x) { return parent_of[x] == x ? x : parent_of[x] = find(parent_of[x]); }

int main() {
    ios::sync_with_stdio(false);
    cin.tie(nullptr);
    int n, q;
    cin >> n >> q;
    for (int i = 1; i <= n; i++) parent_of[i] = i, size_of[i] = 1;
    int circles = n;
    while (q--) {
        char event;
        int a, b;
        cin >> event;
        if (event == 'J') {
            cin >> a >> b;
            a = find(a), b = find(b);
            if (a == b) continue;
            parent_of[a] = b;
            size_of[b] += size_of[a];
            circles--;
        } else if (event == 'S') {
            cin >> a;
            cout << size_of[find(a)] << '\n';
        } else {
            cout << circles << '\n';
        }
    }
}
