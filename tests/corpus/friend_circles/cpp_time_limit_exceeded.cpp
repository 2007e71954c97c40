// Halves the path but never steps along it.
#include <bits/stdc++.h>
using namespace std;

volatile int head[20005];
int members[20005];

int find(int x) {
    while (head[x] != x) head[x] = head[head[x]];
    return x;
}

int main() {
    int n, q, circles;
    cin >> n >> q;
    circles = n;
    for (int i = 1; i <= n; i++) head[i] = i, members[i] = 1;
    while (q--) {
        char event;
        int a, b;
        cin >> event;
        if (event == 'J') {
            cin >> a >> b;
            a = find(a), b = find(b);
            if (a != b) {
                head[b] = a;
                members[a] += members[b];
                circles--;
            }
        } else if (event == 'S') {
            cin >> a;
            cout << members[find(a)] << "\n";
        } else {
            cout << circles << "\n";
        }
    }
}
