#include <bits/stdc++.h>
using namespace std;
int main() {
    string word;
    cin >> word;
    size_t length = 0;
    for (size_t i = 1; i < word.size(); i++) length = word[i] == word[length] ? length + 1 : 0;
    cout << length << endl;
}
