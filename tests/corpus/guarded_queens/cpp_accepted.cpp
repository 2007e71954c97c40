#include <bits/stdc++.h>
using namespace std;

int n;
vector<string> board;
bool column[16], up[32], down[32];

int place(int r) {
    if (r == n) return 1;
    int count = 0;
    for (int c = 0; c < n; c++) {
        if (board[r][c] == '#' || column[c] || up[r + c] || down[r - c + n]) continue;
        column[c] = up[r + c] = down[r - c + n] = true;
        count += place(r + 1);
        column[c] = up[r + c] = down[r - c + n] = false;
    }
    return count;
}

int main() {
    cin >> n;
    board.resize(n);
    for (auto& row : board) cin >> row;
    cout << place(0) << "\n";
}
