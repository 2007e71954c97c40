#include <bits/stdc++.h>
using namespace std;

vector<pair<int, int>> things;
vector<vector<int>> memo;

int solve(int i, int room) {
    if (i == (int)things.size()) return 0;
    int& m = memo[i][room];
    if (m >= 0) return m;
    auto [w, v] = things[i];
    m = solve(i + 1, room);
    if (w <= room) m = max(m, v + solve(i + 1, room - w));
    return m;
}

int main() {
    int n, cap;
    cin >> n >> cap;
    things.resize(n);
    for (auto& [w, v] : things) cin >> w >> v;
    memo.assign(n, vector<int>(cap + 1, -1));
    cout << solve(0, cap) << "\n";
}
