#include <bits/stdc++.h>
using namespace std;
int main() {
    string word;
    cin >> word;
    int n = word.size(), left = 0, right = 0;
    vector<int> match(n);
    for (int i = 1; i < n; i++) {
        if (i < right) match[i] = min(right - i, match[i - left]);
        while (i + match[i] < n && word[match[i]] == word[i + match[i]]) match[i]++;
        if (i + match[i] > right) left = i, right = i + match[i];
        if (i + match[i] == n) return cout << n - i << endl, 0;
    }
    cout << 0 << endl;
}
