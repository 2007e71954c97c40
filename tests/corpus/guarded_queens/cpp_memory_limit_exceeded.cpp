// Level by level, each partial placement with its own board, and no pruning before the last row.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<string> board(n);
    for (auto& row : board) cin >> row;
    vector<vector<string>> level = {board};
    for (int r = 0; r < n; r++) {
        vector<vector<string>> following;
        for (auto& b : level)
            for (int c = 0; c < n; c++)
                if (b[r][c] == '.') {
                    following.push_back(b);
                    following.back()[r][c] = 'Q';
                }
        level.swap(following);
    }
    int count = 0;
    for (auto& b : level) {
        vector<int> at(n);
        for (int r = 0; r < n; r++) at[r] = b[r].find('Q');
        bool fine = true;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++) fine = fine && at[i] != at[j] && abs(at[i] - at[j]) != i - j;
        count += fine;
    }
    cout << count << "\n";
}
