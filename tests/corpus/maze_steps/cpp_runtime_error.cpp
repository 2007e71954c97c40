// Steps over the edge of the maze; .at() notices.
#include <bits/stdc++.h>
using namespace std;

int main() {
    size_t rows, cols;
    cin >> rows >> cols;
    vector<string> g(rows);
    for (auto& row : g) cin >> row;
    queue<array<size_t, 3>> q;
    for (size_t r = 0; r < rows; r++)
        if (g[r].find('S') != string::npos) q.push({r, g[r].find('S'), 0});
    long long answer = -1;
    while (!q.empty() && answer < 0) {
        auto [r, c, d] = q.front();
        q.pop();
        char& here = g.at(r).at(c);
        if (here == '#') continue;
        if (here == 'E') answer = d;
        here = '#';
        q.push({r - 1, c, d + 1});
        q.push({r + 1, c, d + 1});
        q.push({r, c - 1, d + 1});
        q.push({r, c + 1, d + 1});
    }
    cout << answer << "\n";
}
