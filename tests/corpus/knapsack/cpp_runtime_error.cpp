// A leftover debugging check that insists on positive weights.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n, cap;
    cin >> n >> cap;
    vector<int> best(cap + 1);
    for (int i = 0; i < n; i++) {
        int w, v;
        cin >> w >> v;
        assert(w > 0);
        for (int room = cap; room >= w; room--) best[room] = max(best[room], best[room - w] + v);
    }
    cout << best[cap] << "\n";
}
