// Every queue entry carries its own copy of the maze with the walked squares filled in.
#include <bits/stdc++.h>
using namespace std;

struct State {
    vector<string> g;
    int r, c, steps;
};

int main() {
    int rows, cols;
    cin >> rows >> cols;
    vector<string> g(rows);
    for (auto& row : g) cin >> row;
    deque<State> q;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            if (g[r][c] == 'S') q.push_back({g, r, c, 0});
    int answer = -1;
    while (!q.empty() && answer < 0) {
        State s = q.front();
        q.pop_front();
        if (s.g[s.r][s.c] == 'E') answer = s.steps;
        s.g[s.r][s.c] = '#';
        for (auto [dr, dc] : {pair(0, 1), pair(1, 0), pair(0, -1), pair(-1, 0)}) {
            int a = s.r + dr, b = s.c + dc;
            if (a >= 0 && b >= 0 && a < rows && b < cols && s.g[a][b] != '#') q.push_back({s.g, a, b, s.steps + 1});
        }
    }
    cout << answer << "\n";
}
