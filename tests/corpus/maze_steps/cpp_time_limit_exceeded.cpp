// Depth-first search that takes its marks back.
#include <bits/stdc++.h>
using namespace std;

int rows, cols, best = -1;
vector<string> g;

void walk(int r, int c, int steps) {
    if (r < 0 || c < 0 || r >= rows || c >= cols || g[r][c] == '#') return;
    if (g[r][c] == 'E') {
        if (best < 0 || steps < best) best = steps;
        return;
    }
    char keep = g[r][c];
    g[r][c] = '#';
    walk(r, c - 1, steps + 1);
    walk(r - 1, c, steps + 1);
    walk(r, c + 1, steps + 1);
    walk(r + 1, c, steps + 1);
    g[r][c] = keep;
}

int main() {
    cin >> rows >> cols;
    g.resize(rows);
    for (auto& row : g) cin >> row;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            if (g[r][c] == 'S') {
                walk(r, c, 0);
                r = rows;
                break;
            }
    cout << best << "\n";
}
