// Insertion sort that keeps a snapshot after every step "for undo".
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    scanf("%d", &n);
    long long sum = 0;
    vector<vector<int>> history(1);
    for (int i = 0; i < n; i++) {
        int x;
        scanf("%d", &x);
        sum += x;
        vector<int> next = history.back();
        next.insert(upper_bound(next.begin(), next.end(), x), x);
        history.push_back(next);
    }
    printf("%lld\n", sum);
    for (int x : history.back()) printf("%d ", x);
    puts("");
}
