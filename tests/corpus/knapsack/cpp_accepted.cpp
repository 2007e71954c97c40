#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, cap;
    cin >> n >> cap;
    vector<long long> best(cap + 1);
    for (int i = 0; i < n; i++) {
        int w;
        long long v;
        cin >> w >> v;
        for (int room = cap; room >= w; room--) best[room] = max(best[room], best[room - w] + v);
    }
    cout << best[cap] << "\n";
}
