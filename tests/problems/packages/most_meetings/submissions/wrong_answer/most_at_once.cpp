#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, open = 0, most = 0;
    cin >> n;
    vector<pair<int, int>> events;
    for (int begin, end; cin >> begin >> end;) events.push_back({begin, 1}), events.push_back({end, -1});
    sort(events.begin(), events.end());
    for (auto [time, change] : events) most = max(most, open += change);
    cout << most << endl;
}
