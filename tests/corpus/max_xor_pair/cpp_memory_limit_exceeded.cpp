// One flag for each possible number.
#include <bits/stdc++.h>
using namespace std;

int main() {
    int n;
    cin >> n;
    vector<char> present(1 << 29, 'n');
    vector<int> a(n);
    for (int& x : a) {
        cin >> x;
        present[x] = 'y';
    }
    for (int value = (1 << 29) - 1; value >= 0; value--)
        for (int x : a)
            if (present[x ^ value] == 'y') {
                cout << value << "\n";
                return 0;
            }
}
