#include <bits/stdc++.h>
using namespace std;
int main() {
    int low = 1, high;
    cin >> high;
    while (low < high) {
        int middle = low + (high - low) / 2;
        cout << "? " << middle << endl;
        string answer;
        cin >> answer;
        if (answer == "greater") low = middle + 1;
        else high = middle;
    }
    cout << "! " << low << endl;
}
