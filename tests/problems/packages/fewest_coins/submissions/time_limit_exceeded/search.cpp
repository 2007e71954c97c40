#include <bits/stdc++.h>
using namespace std;
vector<int> coins;
int best = INT_MAX;
void search(int rest, int used) {
    if (rest == 0) best = min(best, used);
    for (int coin : coins)
        if (coin <= rest && used + 1 < best) search(rest - coin, used + 1);
}
int main() {
    int k, s;
    cin >> k >> s;
    coins.resize(k);
    for (int &coin : coins) cin >> coin;
    sort(coins.begin(), coins.end());
    search(s, 0);
    cout << (best == INT_MAX ? -1 : best) << endl;
}
