#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    vector<pair<int, int>> meetings(n);
    for (auto &[end, begin] : meetings) scanf("%d %d", &begin, &end);
    sort(meetings.begin(), meetings.end());
    vector<int> best(n + 1);
    for (int i = 0; i < n; i++) {
        int before = upper_bound(meetings.begin(), meetings.end(), pair{meetings[i].second, INT_MAX}) - meetings.begin();
        best[i + 1] = max(best[i], best[before] + 1);
    }
    printf("%d\n", best[n]);
}
