// Chooses n squares of the board in every possible order of picking.
#include <bits/stdc++.h>
using namespace std;

int n;
vector<string> board;
vector<pair<int, int>> queens;
long long found;

void choose(int square) {
    if ((int)queens.size() == n) {
        int bad = 0;
        for (auto& [a, b] : queens)
            for (auto& [c, d] : queens)
                if (&a != &c && (a == c || b == d || a - c == b - d || a - c == d - b)) bad++;
        for (auto& [a, b] : queens) bad += board[a][b] == '#';
        found += bad == 0;
        return;
    }
    if (square == n * n) return;
    choose(square + 1);
    queens.push_back({square / n, square % n});
    choose(square + 1);
    queens.pop_back();
}

int main() {
    cin >> n;
    board.resize(n);
    for (auto& row : board) cin >> row;
    choose(0);
    cout << found << "\n";
}
