#include <bits/stdc++.h>
using namespace std;
int main() {
    string word;
    cin >> word;
    cout << word.size() - (word.front() != word.back()) * word.size() << endl;
}
