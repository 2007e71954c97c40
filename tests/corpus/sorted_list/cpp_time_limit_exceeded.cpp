// Swaps the first pair that is out of order, then starts again from the front.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    scanf("%d", &n);
    vector<int> a(n);
    long long sum = 0;
    for (auto& x : a) {
        scanf("%d", &x);
        sum += x;
    }
    for (int i = 0; i + 1 < n;) {
        if (a[i] > a[i + 1]) {
            swap(a[i], a[i + 1]);
            i = 0;
        } else {
            i++;
        }
    }
    printf("%lld\n", sum);
    for (int x : a) printf("%d ", x);
    puts("");
}
