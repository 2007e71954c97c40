// Searches the trie before anything is in it and follows a null pointer.
#include <bits/stdc++.h>
using namespace std;

struct Node {
    Node* volatile side[2] = {nullptr, nullptr};
};

int main() {
    int n, best = 0;
    cin >> n;
    Node* root = new Node;
    while (n--) {
        int x, value = 0;
        cin >> x;
        Node* v = root;
        for (int bit = 28; bit >= 0; bit--) {
            int s = x >> bit & 1;
            if (v->side[!s]) {
                value |= 1 << bit;
                v = v->side[!s];
            } else {
                v = v->side[s];
            }
        }
        best = max(best, value);
        v = root;
        for (int bit = 28; bit >= 0; bit--) {
            int s = x >> bit & 1;
            if (!v->side[s]) v->side[s] = new Node;
            v = v->side[s];
        }
    }
    cout << best << "\n";
}
