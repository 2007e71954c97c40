// Sorts pairs (count, word) backwards: equal counts come out in reverse alphabetical order.
#include <bits/stdc++.h>
using namespace std;

int main() {
    size_t k;
    cin >> k;
    map<string, int> counts;
    string text((istreambuf_iterator<char>(cin)), istreambuf_iterator<char>());
    for (char& c : text) c = isalpha((unsigned char)c) ? tolower(c) : ' ';
    istringstream in(text);
    for (string w; in >> w;) counts[w]++;
    vector<pair<int, string>> ranking;
    for (auto& [w, c] : counts) ranking.push_back({c, w});
    sort(ranking.rbegin(), ranking.rend());
    if (ranking.size() > k) ranking.resize(k);
    for (auto& [c, w] : ranking) cout << w << " " << c << "\n";
}
