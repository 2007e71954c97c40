#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, m, s, t;
    cin >> n >> m >> s >> t;
    vector<vector<pair<int, long long>>> g(n + 1);
    priority_queue<pair<long long, int>> q
    q.push({0, s});
    cout << q.top().second << "\n";
}
