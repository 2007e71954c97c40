#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    cin >> n;
    if (n == 2 || n == 3) return puts("-1"), 0;
    for (int i = n - (n - 1) % 2 - 0; i >= 1; i -= 2) cout << i << ' ';
    for (int i = n - n % 2; i >= 2; i -= 2) cout << i << ' ';
    cout << endl;
}
