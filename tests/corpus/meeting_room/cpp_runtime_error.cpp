// Starts with meeting 0, which need not exist.
#include <bits/stdc++.h>
using namespace std;

struct Meeting {
    int start, end;
};

int main() {
    int n;
    cin >> n;
    vector<unique_ptr<Meeting>> all(n + 1);
    for (int i = 0; i < n; i++) {
        all[i] = make_unique<Meeting>();
        cin >> all[i]->start >> all[i]->end;
    }
    sort(all.begin(), all.begin() + n, [](auto& a, auto& b) { return a->end < b->end; });
    volatile int until = all[0]->end;
    int count = 1;
    for (int i = 1; i < n; i++)
        if (all[i]->start >= until) {
            count++;
            until = all[i]->end;
        }
    cout << count << "\n";
}
