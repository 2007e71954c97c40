#include <bits/stdc++.h>
using namespace std;
int main() {
    string word;
    cin >> word;
    vector<int> links(word.size());
    for (size_t i = 1; i < word.size(); i++) {
        int length = links[i - 1];
        while (length && word[i] != word[length]) length = links[length - 1];
        links[i] = length + (word[i] == word[length]);
    }
    cout << links.back() << endl;
}
