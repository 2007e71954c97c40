// Cuts leading marks off a word; a token without letters leaves npos as the start.
#include <bits/stdc++.h>
using namespace std;

int main() {
    size_t k;
    cin >> k;
    map<string, int> counts;
    for (string token; cin >> token;) {
        for (char& c : token) c = tolower(c);
        while (!token.empty()) {
            size_t from = token.find_first_of("abcdefghijklmnopqrstuvwxyz");
            string word = token.substr(from);
            size_t to = word.find_first_not_of("abcdefghijklmnopqrstuvwxyz");
            if (to == string::npos) to = word.size();
            counts[word.substr(0, to)]++;
            token = word.substr(to);
            if (token.size() == 1) token.clear();
        }
    }
    vector<pair<int, string>> ranking;
    for (auto& [w, c] : counts) ranking.push_back({-c, w});
    sort(ranking.begin(), ranking.end());
    for (size_t i = 0; i < min(k, ranking.size()); i++)
        cout << ranking[i].second << " " << -ranking[i].first << "\n";
}
