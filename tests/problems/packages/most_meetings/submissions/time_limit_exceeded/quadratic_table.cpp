#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    vector<pair<int, int>> meetings(n);
    for (auto &[end, begin] : meetings) scanf("%d %d", &begin, &end);
    sort(meetings.begin(), meetings.end());
    vector<int> best(n);
    volatile int most = 0;
    for (int i = 0; i < n; i++) {
        best[i] = 1;
        for (int j = 0; j < n; j++) {
            if (j < i && meetings[j].first <= meetings[i].second && best[j] + 1 > best[i]) best[i] = best[j] + 1;
            most = max((int)most, best[j]);
        }
    }
    printf("%d\n", *max_element(best.begin(), best.end()));
}
