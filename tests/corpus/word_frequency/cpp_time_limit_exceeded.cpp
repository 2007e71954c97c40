// The scanner knows letters, blanks and punctuation; at a digit it does not move on.
#include <bits/stdc++.h>
using namespace std;

int main() {
    size_t k;
    cin >> k;
    string text((istreambuf_iterator<char>(cin)), istreambuf_iterator<char>());
    map<string, int> counts;
    volatile size_t at = 0;
    while (at < text.size()) {
        unsigned char c = text[at];
        if (isalpha(c)) {
            string word;
            while (at < text.size() && isalpha((unsigned char)text[at])) {
                word += tolower(text[at]);
                at = at + 1;
            }
            counts[word]++;
        } else if (isspace(c) || ispunct(c)) {
            at = at + 1;
        }
    }
    vector<pair<int, string>> ranking;
    for (auto& [w, c] : counts) ranking.push_back({-c, w});
    sort(ranking.begin(), ranking.end());
    if (ranking.size() > k) ranking.resize(k);
    for (auto& [c, w] : ranking) cout << w << " " << -c << "\n";
}
