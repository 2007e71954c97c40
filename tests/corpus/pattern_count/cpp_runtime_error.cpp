// Looks one letter past the end of the pattern after a full match.
#include <bits/stdc++.h>
using namespace std;

int main() {
    string t, p;
    cin >> t >> p;
    vector<int> f(p.size());
    size_t k = 0;
    for (size_t i = 1; i < p.size(); i++) {
        while (k && p.at(i) != p.at(k)) k = f.at(k - 1);
        if (p.at(i) == p.at(k)) k++;
        f.at(i) = k;
    }
    int found = 0;
    k = 0;
    for (char c : t) {
        while (k && p.at(k) != c) k = f.at(k - 1);
        if (p.at(k) == c) k++;
        if (k == p.size()) found++;
    }
    cout << found << " " << f.back() << endl;
}
