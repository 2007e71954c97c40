// Throws a plain string as soon as it meets a blocked square.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<string> board(n);
    for (auto& row : board) cin >> row;
    vector<int> p(n);
    iota(p.begin(), p.end(), 0);
    int count = 0;
    do {
        bool fine = true;
        for (int i = 0; i < n && fine; i++)
            for (int j = 0; j < i && fine; j++) fine = abs(p[i] - p[j]) != i - j;
        for (int i = 0; i < n && fine; i++)
            if (board[i][p[i]] != '.') throw "a queen stands on a blocked square";
        count += fine;
    } while (next_permutation(p.begin(), p.end()));
    cout << count << "\n";
}
