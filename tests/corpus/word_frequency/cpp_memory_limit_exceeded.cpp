// For each word, keeps all of the text in front of it.
#include <bits/stdc++.h>
using namespace std;

int main() {
    size_t k;
    cin >> k;
    string text((istreambuf_iterator<char>(cin)), istreambuf_iterator<char>());
    multimap<string, string> context;
    string word;
    text += ' ';
    for (size_t i = 0; i < text.size(); i++) {
        if (isalpha((unsigned char)text[i])) {
            word += tolower(text[i]);
        } else if (!word.empty()) {
            context.emplace(word, text.substr(0, i));
            word.clear();
        }
    }
    vector<pair<int, string>> ranking;
    for (auto it = context.begin(); it != context.end(); it = context.upper_bound(it->first))
        ranking.push_back({-(int)context.count(it->first), it->first});
    sort(ranking.begin(), ranking.end());
    for (size_t i = 0; i < min(k, ranking.size()); i++)
        cout << ranking[i].second << " " << -ranking[i].first << "\n";
}
