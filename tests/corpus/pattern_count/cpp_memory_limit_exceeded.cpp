// A trie of all suffixes, one node a letter, nothing shared or compressed.
#include <bits/stdc++.h>
using namespace std;

struct Node {
    Node* next[26] = {};
    int passed = 0;
};

int main() {
    string t, p;
    cin >> t >> p;
    Node* root = new Node;
    for (size_t i = 0; i < t.size(); i++) {
        Node* v = root;
        for (size_t j = i; j < t.size(); j++) {
            Node*& u = v->next[t[j] - 'a'];
            if (!u) u = new Node;
            v = u;
            v->passed++;
        }
    }
    Node* v = root;
    for (char c : p) {
        if (v) v = v->next[c - 'a'];
    }
    int border = 0;
    for (size_t s = 1; s < p.size(); s++)
        if (p.compare(0, s, p, p.size() - s, s) == 0) border = s;
    cout << (v ? v->passed : 0) << " " << border << "\n";
}
