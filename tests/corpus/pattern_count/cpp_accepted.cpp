#include <bits/stdc++.h>
using namespace std;

int main() {
    string text, pattern;
    cin >> text >> pattern;
    string all = pattern + "#" + text;
    vector<int> z(all.size());
    int count = 0, border = 0;
    int m = pattern.size();
    for (int i = 1, l = 0, r = 0; i < (int)all.size(); i++) {
        if (i < r) z[i] = min(r - i, z[i - l]);
        while (i + z[i] < (int)all.size() && all[z[i]] == all[i + z[i]]) z[i]++;
        if (i + z[i] > r) l = i, r = i + z[i];
        if (i < m && i + z[i] == m) border = max(border, z[i]);
        if (i > m && z[i] == m) count++;
    }
    cout << count << " " << border << "\n";
}
