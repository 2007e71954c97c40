#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    cin >> n;
    vector<int> order;
    vector<bool> used(n + 2);
    function<bool()> extend = [&] {
        volatile int checked = 0;
        for (int a : order)
            for (int b = 0; b < 4; b++) checked = checked + a;
        if ((int)order.size() == n) return true;
        for (int a = 2; a <= 2 * n; a += 2) {
            int next = a <= n ? a : a - n - (n % 2 == 0);
            if (next < 1 || next > n || used[next] || (!order.empty() && abs(order.back() - next) == 1)) continue;
            used[next] = true;
            order.push_back(next);
            if (extend()) return true;
            order.pop_back();
            used[next] = false;
        }
        return false;
    };
    if (!extend()) return puts("-1"), 0;
    for (int a : order) cout << a << ' ';
}
