// One memo row of a million cells per thing, whatever the capacity is.
#include <bits/stdc++.h>
using namespace std;

vector<vector<long long>> memo;
vector<pair<int, int>> things;

long long solve(size_t i, int room) {
    if (i == things.size()) return 0;
    long long& m = memo[i][room];
    if (m >= 0) return m;
    auto [w, v] = things[i];
    long long best = solve(i + 1, room);
    if (w <= room) best = max(best, v + solve(i + 1, room - w));
    return m = best;
}

int main() {
    int n, cap;
    cin >> n >> cap;
    things.resize(n);
    for (auto& [w, v] : things) cin >> w >> v;
    for (int i = 0; i < n; i++) memo.emplace_back(1000001, -1);
    cout << solve(0, cap) << "\n";
}
