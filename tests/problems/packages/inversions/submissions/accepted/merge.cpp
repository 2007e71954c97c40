#include <bits/stdc++.h>
using namespace std;
long long count_and_sort(vector<int> &a, int from, int to) {
    if (to - from < 2) return 0;
    int middle = (from + to) / 2, i = from;
    long long count = count_and_sort(a, from, middle) + count_and_sort(a, middle, to);
    for (int j = middle; j < to; j++) {
        while (i < middle && a[i] <= a[j]) i++;
        count += middle - i;
    }
    inplace_merge(a.begin() + from, a.begin() + middle, a.begin() + to);
    return count;
}
int main() {
    int n;
    scanf("%d", &n);
    vector<int> a(n);
    for (int &x : a) scanf("%d", &x);
    printf("%lld\n", count_and_sort(a, 0, n));
}
