#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    scanf("%d", &n);
    vector<int> a(n);
    for (int &x : a) scanf("%d", &x);
    unsigned short count = 0;
    if (n <= 5000)
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++) count += a[i] > a[j];
    printf("%d\n", count);
}
