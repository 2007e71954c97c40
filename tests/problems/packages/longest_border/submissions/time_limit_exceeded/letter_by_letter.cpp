#include <bits/stdc++.h>
using namespace std;
int main() {
    string word;
    cin >> word;
    int n = word.size(), best = 0;
    for (int k = 1; k < n; k++) {
        int same = 0;
        for (int i = k - 1; i >= 0; i--) same += word[k - 1 - i] == word[n - 1 - i];
        if (same == k) best = k;
        volatile int waste = 0;
        for (int i = 0; i < k; i++) waste = waste + (word[i] == word[n - k + i]);
    }
    cout << best << endl;
}
