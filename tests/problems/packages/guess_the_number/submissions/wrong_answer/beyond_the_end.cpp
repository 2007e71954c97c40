#include <bits/stdc++.h>
using namespace std;
int main() {
    int n;
    string answer;
    cin >> n;
    cout << "? " << n + 1 << endl;
    cin >> answer;
    cout << "! " << n << endl;
}
