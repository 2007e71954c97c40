#include <bits/stdc++.h>
using namespace std;

int main() {
    int k;
    cin >> k;
    unordered_map<string, int> counts;
    string word;
    int ch;
    do {
        ch = getchar();
        if (ch != EOF && isalpha(ch)) {
            word += tolower(ch);
        } else if (!word.empty()) {
            counts[word]++;
            word.clear();
        }
    } while (ch != EOF);
    vector<pair<int, string>> ranking;
    for (auto& [w, c] : counts) ranking.push_back({-c, w});
    sort(ranking.begin(), ranking.end());
    for (int i = 0; i < k && i < (int)ranking.size(); i++)
        printf("%s %d\n", ranking[i].second.c_str(), -ranking[i].first);
}
