#include <bits/stdc++.h>
using namespace std;
int main() {
    int n, count = 0, free = 0;
    cin >> n;
    for (int begin, end; cin >> begin >> end;)
        if (begin >= free) count++, free = end;
    cout << count << endl;
}
