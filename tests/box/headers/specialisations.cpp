// Specializations that a program may add to the library for its own types, after the header.
#include <bits/stdc++.h>

struct Point {
    int x, y;
    bool operator==(const Point&) const = default;
};

template <> struct std::hash<Point> { size_t operator()(const Point& p) const { return p.x * 31 + p.y; } };
template <> struct std::less<Point> { bool operator()(const Point& a, const Point& b) const { return a.x > b.x; } };
template <> struct std::numeric_limits<Point> { static constexpr int max() { return 7; } };
template <> void std::swap<Point>(Point& a, Point& b) noexcept { Point c = a; a = b; b = c; std::cout << "own swap\n"; }
namespace std {
template <> struct hash<pair<int, int>> { size_t operator()(const pair<int, int>& p) const { return p.first ^ p.second; } };
template <> struct tuple_size<Point> : integral_constant<size_t, 2> {};
template <size_t I> struct tuple_element<I, Point> { using type = int; };
}
template <size_t I> int get(const Point& p) { return I ? p.y : p.x; }
std::ostream& operator<<(std::ostream& out, const std::vector<int>& v) { for (int x : v) out << x << ','; return out; }
template class std::vector<Point>;

int main() {
    std::unordered_map<Point, int> counts{{{1, 2}, 3}};
    std::unordered_set<std::pair<int, int>> pairs{{1, 2}};
    std::map<Point, int> ordered{{{1, 0}, 1}, {{2, 0}, 2}};
    Point a{1, 2}, b{3, 4};
    std::swap(a, b);
    auto [u, v] = a;
    std::cout << counts[{1, 2}] << pairs.size() << ordered.begin()->second << std::numeric_limits<Point>::max() << u << v;
    std::cout << '\n' << std::vector<int>{1, 2} << '\n';
}
