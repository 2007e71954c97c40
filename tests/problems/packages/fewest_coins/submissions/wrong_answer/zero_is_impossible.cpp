#include <bits/stdc++.h>
using namespace std;
int main() {
    int k, s;
    cin >> k >> s;
    vector<int> best(s + 1, 1 << 29), coins(k);
    for (int &coin : coins) cin >> coin, (coin <= s ? best[coin] = 1 : 0);
    for (int total = 1; total <= s; total++)
        for (int coin : coins)
            if (coin < total) best[total] = min(best[total], best[total - coin] + 1);
    cout << (s > 0 && best[s] < 1 << 29 ? best[s] : -1) << endl;
}
