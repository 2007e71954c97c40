#include <cstdio>
#include <algorithm>
#include <numeric>
#include <vector>

int main() {
    int n;
    if (std::scanf("%d", &n) != 1) return 1;
    std::vector<int> a(n);
    for (int& x : a)
        if (std::scanf("%d", &x) != 1) return 1;
    std::sort(a.begin(), a.end());
    std::printf("%lld\n", std::accumulate(a.begin(), a.end(), 0LL));
    for (int x : a) std::printf("%d ", x);
    std::printf("\n");
}
