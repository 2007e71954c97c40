#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<pair<int, int>> m(n);
    for (auto& [end, start] : m) cin >> start >> end;
    sort(m.begin(), m.end());
    int count = 0, until = 0;
    for (auto [end, start] : m)
        if (start >= until) {
            count++;
            until = end;
        }
    printf("%d\n", count);
}
