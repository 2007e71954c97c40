#include <bits/stdc++.h>
using namespace std;
int main() {
    int low = 1, high;
    cin >> high;
    while (low < high) {
        volatile int sum = 0;
        for (long long i = 0; i < 3000LL * high; i++) sum = sum + i % 3;
        int middle = (low + high) / 2;
        cout << "? " << middle << endl;
        string answer;
        cin >> answer;
        answer == "greater" ? low = middle + 1 : high = middle;
    }
    cout << "! " << low << endl;
}
