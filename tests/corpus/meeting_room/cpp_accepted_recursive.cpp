#include <bits/stdc++.h>
using namespace std;

vector<array<int, 2>> m;
vector<int> memo;

int most(int i) {
    if (i == (int)m.size()) return 0;
    if (memo[i] >= 0) return memo[i];
    int next = lower_bound(m.begin(), m.end(), array<int, 2>{m[i][1], 0}) - m.begin();
    return memo[i] = max(most(i + 1), 1 + most(next));
}

int main() {
    int n;
    cin >> n;
    m.resize(n);
    memo.assign(n, -1);
    for (auto& [s, e] : m) cin >> s >> e;
    sort(m.begin(), m.end());
    cout << most(0) << "\n";
}
