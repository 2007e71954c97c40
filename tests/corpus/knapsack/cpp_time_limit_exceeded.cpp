// Take or leave, without a memo.
#include <bits/stdc++.h>
using namespace std;

int n;
int weight_of[64], worth_of[64];

long long solve(int i, int room) {
    if (i == n) return 0;
    long long leave = solve(i + 1, room);
    if (weight_of[i] > room) return leave;
    return max(leave, worth_of[i] + solve(i + 1, room - weight_of[i]));
}

int main() {
    int cap;
    cin >> n >> cap;
    for (int i = 0; i < n; i++) cin >> weight_of[i] >> worth_of[i];
    cout << solve(0, cap) << "\n";
}
