// Lets the walker cut corners.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int rows, cols;
    cin >> rows >> cols;
    vector<string> g(rows);
    for (auto& row : g) cin >> row;
    map<pair<int, int>, int> dist;
    queue<pair<int, int>> q;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            if (g[r][c] == 'S') {
                q.push({r, c});
                dist[{r, c}] = 0;
            }
    int answer = -1;
    while (!q.empty()) {
        auto [r, c] = q.front();
        q.pop();
        if (g[r][c] == 'E') answer = dist[{r, c}];
        for (int a = max(r - 1, 0); a <= min(r + 1, rows - 1); a++)
            for (int b = max(c - 1, 0); b <= min(c + 1, cols - 1); b++)
                if (g[a][b] != '#' && !dist.count({a, b})) {
                    dist[{a, b}] = dist[{r, c}] + 1;
                    q.push({a, b});
                }
    }
    cout << answer << "\n";
}
