// Expects a number after every event letter, and "C" has none.
#include <bits/stdc++.h>
using namespace std;

int main() {
    string line;
    getline(cin, line);
    int n = stoi(line);
    vector<int> head(n + 1), size(n + 1, 1);
    iota(head.begin(), head.end(), 0);
    int circles = n;
    while (getline(cin, line)) {
        char event = line[0];
        int a = stoi(line.substr(1));
        while (head[a] != a) a = head[a];
        if (event == 'J') {
            int b = stoi(line.substr(line.rfind(' ')));
            while (head[b] != b) b = head[b];
            if (a != b) {
                head[b] = a;
                size[a] += size[b];
                circles--;
            }
        } else if (event == 'S') {
            cout << size[a] << "\n";
        } else {
            cout << circles << "\n";
        }
    }
}
