#include <iostream>
#include <deque>

int main() {
    long long n, bound, total = 0;
    std::size_t best = 0;
    std::cin >> n >> bound;
    std::deque<long long> window;
    for (int i = 0; i < n; i++) {
        long long x;
        std::cin >> x;
        window.push_back(x);
        total += x;
        while (total > bound) {
            total -= window.front();
            window.pop_front();
        }
        if (window.size() > best) best = window.size();
    }
    std::cout << best << std::endl;
}
