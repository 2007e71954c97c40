#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    cin >> n;
    if (n == 2 || n == 3) return puts("-1"), 0;
    for (int i = 0; i < n; i++) cout << (i % 2 ? 1 : n) << ' ';
}
