// Parts of the library whose inline functions use many templates.
#include <bits/stdc++.h>
using namespace std;
namespace fs = std::filesystem;
using namespace std::chrono;

void* operator new(size_t n) { if (void* p = malloc(n)) return p; throw bad_alloc(); }
void operator delete(void* p) noexcept { free(p); }
void operator delete(void* p, size_t) noexcept { free(p); }

struct Task {
    struct promise_type {
        Task get_return_object() { return {}; }
        suspend_never initial_suspend() { return {}; }
        suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() {}
    };
};
Task coroutine() { cout << "coroutine\n"; co_return; }

int main() {
    fs::path path = "/a/b/../c.txt";
    cout << path.lexically_normal() << ' ' << path.extension() << ' ' << fs::exists("/nowhere") << '\n';
    auto day = year{2024} / 2 / 29;
    cout << day.ok() << ' ' << duration_cast<milliseconds>(3s + 5ms).count() << '\n';
    for (int x : views::iota(1, 20) | views::filter([](int i) { return i % 3 == 0; }) | views::reverse) cout << x << ' ';
    atomic<int> sum{0};
    { vector<jthread> threads; for (int i = 0; i < 4; i++) threads.emplace_back([&sum, i] { sum += i; }); }
    variant<int, string> either = "x";
    function<int(int)> next = [](int x) { return x + 1; };
    mt19937 random(1);
    uniform_int_distribution<int> die(1, 6);
    cout << sum << ' ' << async(launch::async, [] { return 42; }).get() << ' ' << either.index() << ' ' << next(1) << ' ' << die(random) << '\n';
    coroutine();
    try { throw system_error(make_error_code(errc::timed_out)); } catch (exception& error) { cout << error.what() << '\n'; }
    stringstream words("1 2 3");
    copy(istream_iterator<int>(words), {}, ostream_iterator<int>(cout, ","));
    cout << to_string(1.5) << stoi("12") << quoted("a b") << ' ' << complex<double>(1, 2) << '\n';
}
