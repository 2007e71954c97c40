#include <bits/stdc++.h>
using namespace std;

int main() {
    int rows, cols;
    cin >> rows >> cols;
    vector<string> g(rows);
    for (auto& row : g) cin >> row;
    vector<vector<int>> dist(rows, vector<int>(cols, -1));
    queue<pair<int, int>> q;
    int answer = -1;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            if (g[r][c] == 'S') {
                dist[r][c] = 0;
                q.push({r, c});
            }
    const int dr[] = {0, 0, 1, -1}, dc[] = {1, -1, 0, 0};
    while (!q.empty()) {
        auto [r, c] = q.front();
        q.pop();
        if (g[r][c] == 'E') answer = dist[r][c];
        for (int k = 0; k < 4; k++) {
            int a = r + dr[k], b = c + dc[k];
            if (a < 0 || b < 0 || a >= rows || b >= cols || g[a][b] == '#' || dist[a][b] >= 0) continue;
            dist[a][b] = dist[r][c] + 1;
            q.push({a, b});
        }
    }
    cout << answer << "\n";
}
