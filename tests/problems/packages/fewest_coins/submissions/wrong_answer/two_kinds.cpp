#include <bits/stdc++.h>
using namespace std;
int main() {
    int k, s, best = INT_MAX;
    cin >> k >> s;
    vector<int> coins(k);
    for (int &coin : coins) cin >> coin;
    for (int a : coins)
        for (int b : coins)
            for (int count = 0; count * a <= s; count++)
                if ((s - count * a) % b == 0) best = min(best, count + (s - count * a) / b);
    cout << (best == INT_MAX ? -1 : best) << endl;
}
