// The inner loop runs upwards, so a thing may be taken many times.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, cap;
    cin >> n >> cap;
    vector<long long> best(cap + 1);
    while (n--) {
        int w, v;
        cin >> w >> v;
        for (int room = max(w, 1); room <= cap; room++) best[room] = max(best[room], best[room - w] + v);
    }
    cout << best[cap] << "\n";
}
