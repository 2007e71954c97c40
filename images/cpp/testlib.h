// The interface of testlib, for checkers, validators, generators and interactors of programming problems.
//
// This is an independent implementation of the interface that https://codeforces.com/testlib documents. Programs written
// for testlib compile and report the same verdicts. Two things differ on purpose: messages may have other words, and the
// random numbers of `rnd` have another sequence, so a generator makes other tests than on Polygon (but always the same
// ones for the same arguments). Percentages (`_pc(n)`) exit with 50 + n, as in the original with TESTSYS.
#pragma once

#include <bits/stdc++.h>
#include <unistd.h>

enum TResult {
    _ok = 0,
    _wa = 1,
    _pe = 2,
    _fail = 3,
    _dirt = 4,
    _points = 5,
    _unexpected_eof = 8,
    _partially = 16,
};
#define _pc(percent) (TResult(_partially + (percent)))

enum TMode { _input, _output, _answer };
enum TTestlibMode { _unknown, _checker, _validator, _generator, _interactor, _scorer };

inline TTestlibMode testlibMode = _unknown;
inline std::fstream tout;

const char LF = 10, CR = 13, TAB = 9, SPACE = ' ';
const int EOFC = 255;

[[noreturn]] void quit(TResult result, const std::string &message);
[[noreturn]] void quitf(TResult result, const char *format, ...) __attribute__((format(printf, 2, 3)));

namespace testlib_detail {

inline std::string vformat(const char *pattern, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(nullptr, 0, pattern, arguments);
    std::string text(size > 0 ? size : 0, '\0');
    if (size > 0) vsnprintf(&text[0], size + 1, pattern, again);
    va_end(again);
    return text;
}

inline bool is_blank(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline std::string shorten(const std::string &text) {
    return text.size() <= 64 ? text : text.substr(0, 30) + "..." + text.substr(text.size() - 31);
}

inline bool parse_integer(const std::string &text, long long &value) {
    size_t start = !text.empty() && text[0] == '-';
    if (text.size() == start || text.size() > start + 19) return false;
    if (text[start] == '0' && (text.size() > start + 1 || start == 1)) return false;
    for (size_t i = start; i < text.size(); i++)
        if (text[i] < '0' || text[i] > '9') return false;
    errno = 0;
    value = strtoll(text.c_str(), nullptr, 10);
    return errno == 0;
}

inline bool parse_unsigned(const std::string &text, unsigned long long &value) {
    if (text.empty() || text.size() > 20 || (text[0] == '0' && text.size() > 1)) return false;
    for (char c : text)
        if (c < '0' || c > '9') return false;
    errno = 0;
    value = strtoull(text.c_str(), nullptr, 10);
    return errno == 0;
}

// A finite decimal number, with an exponent unless `strict`. In strict mode a point needs digits on both sides.
inline bool parse_real(const std::string &text, double &value, bool strict, int min_digits, int max_digits) {
    size_t i = !text.empty() && (text[0] == '-' || (!strict && text[0] == '+')), whole = 0, fraction = 0;
    size_t first = i;
    for (; i < text.size() && isdigit((unsigned char)text[i]); i++) whole++;
    bool point = i < text.size() && text[i] == '.';
    if (point)
        for (i++; i < text.size() && isdigit((unsigned char)text[i]); i++) fraction++;
    if (whole + fraction == 0) return false;
    if (strict) {
        if (whole == 0 || (point && fraction == 0) || (whole > 1 && text[first] == '0')) return false;
        if ((int)fraction < min_digits || (int)fraction > max_digits) return false;
    } else if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < text.size() && (text[i] == '-' || text[i] == '+')) i++;
        size_t digits = i;
        while (i < text.size() && isdigit((unsigned char)text[i])) i++;
        if (i == digits) return false;
    }
    if (i != text.size()) return false;
    value = strtod(text.c_str(), nullptr);
    return std::isfinite(value) && !(strict && first == 1 && value == 0);
}

struct State {
    bool finished = false, guarded = true, ended_input = false, checks_options = true, used_options = false;
    int test_case = 0;
    std::string checker_name, result_file, testset, group;
    std::vector<std::string> arguments;
    std::map<std::string, std::string> options;
    std::set<std::string> used, features, found_features;
};

inline State &state() {
    static State *it = new State;
    return *it;
}

[[noreturn]] inline void leave(int code, const std::string &message) {
    state().finished = true;
    fflush(stdout);
    std::cout.flush();
    if (tout.is_open()) tout.close();
    if (!state().result_file.empty()) std::ofstream(state().result_file) << message << "\n";
    fprintf(stderr, "%s\n", message.c_str());
    fflush(stderr);
    _exit(code);
}

}  // namespace testlib_detail

inline std::string format(const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    std::string text = testlib_detail::vformat(pattern, arguments);
    va_end(arguments);
    return text;
}
inline std::string format(const std::string pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    std::string text = testlib_detail::vformat(pattern.c_str(), arguments);
    va_end(arguments);
    return text;
}

#define TESTLIB_FORMAT(text, last)                                    \
    va_list arguments_;                                               \
    va_start(arguments_, last);                                       \
    std::string text = testlib_detail::vformat(last, arguments_);     \
    va_end(arguments_)

template <typename T> std::string toString(const T &value) {
    std::ostringstream out;
    out << value;
    return out.str();
}
template <typename T> std::string vtos(const T &value) { return toString(value); }

// Random numbers. The seed depends on the arguments of the program only.
class random_t;
class pattern;

class random_t {
  public:
    random_t() : state_(0x9E3779B97F4A7C15ull) {}

    void setSeed(long long seed) { state_ = (unsigned long long)seed ^ 0x9E3779B97F4A7C15ull; }
    void setSeed(int count, char **arguments) {
        unsigned long long hash = 0xCBF29CE484222325ull;  // FNV-1a over all arguments
        for (int i = 1; i < count; i++)
            for (const char *c = arguments[i];; c++) {
                hash = (hash ^ (unsigned char)*c) * 0x100000001B3ull;
                if (!*c) break;
            }
        state_ = hash;
    }

    unsigned long long nextBits(int bits) { return bits == 0 ? 0 : draw() >> (64 - bits); }

    double next() { return (double)(draw() >> 11) / 9007199254740992.0; }
    int next(int n) { return (int)below(positive(n)); }
    unsigned next(unsigned n) { return (unsigned)below(positive(n)); }
    long long next(long long n) { return (long long)below(positive(n)); }
    unsigned long long next(unsigned long long n) { return below(positive(n)); }
    long next(long n) { return (long)below(positive(n)); }
    unsigned long next(unsigned long n) { return (unsigned long)below(positive(n)); }
    double next(double n) { return next() * n; }
    int next(int from, int to) { return (int)between(from, to); }
    unsigned next(unsigned from, unsigned to) { return (unsigned)between(from, to); }
    long long next(long long from, long long to) { return between(from, to); }
    unsigned long long next(unsigned long long from, unsigned long long to) {
        if (from > to) quit(_fail, "random_t::next(from, to): from must not exceed to");
        unsigned long long size = to - from + 1;
        return size == 0 ? draw() : from + below(size);
    }
    long next(long from, long to) { return (long)between(from, to); }
    unsigned long next(unsigned long from, unsigned long to) {
        return (unsigned long)next((unsigned long long)from, (unsigned long long)to);
    }
    template <typename A, typename B>
    typename std::enable_if<std::is_integral<A>::value && std::is_integral<B>::value && !std::is_same<A, B>::value,
                            long long>::type
    next(A from, B to) {
        return between((long long)from, (long long)to);
    }
    double next(double from, double to) { return from + next() * (to - from); }
    std::string next(const std::string &rule);
    std::string next(const char *rule, ...) __attribute__((format(printf, 2, 3)));

    // The largest of `type` + 1 numbers if `type` is positive, the smallest of -`type` + 1 if it is negative.
    double wnext(int type) {
        if (type == 0) return next();
        double value = std::pow(next(), 1.0 / (std::abs((double)type) + 1));
        return type > 0 ? value : 1 - value;
    }
    int wnext(int n, int type) { return (int)weighted(positive(n), type); }
    long long wnext(long long n, int type) { return (long long)weighted(positive(n), type); }
    unsigned wnext(unsigned n, int type) { return (unsigned)weighted(positive(n), type); }
    double wnext(double n, int type) { return n * wnext(type); }
    int wnext(int from, int to, int type) { return (int)(from + (long long)weighted(span(from, to), type)); }
    long long wnext(long long from, long long to, int type) { return from + (long long)weighted(span(from, to), type); }
    double wnext(double from, double to, int type) { return from + (to - from) * wnext(type); }

    template <typename Container> typename Container::value_type any(const Container &items) {
        if (items.empty()) quit(_fail, "random_t::any: the container is empty");
        return *std::next(items.begin(), next((long long)items.size()));
    }
    template <typename Iterator> typename std::iterator_traits<Iterator>::value_type any(Iterator begin, Iterator end) {
        long long size = std::distance(begin, end);
        if (size <= 0) quit(_fail, "random_t::any: the range is empty");
        return *std::next(begin, next(size));
    }
    template <typename Container> typename Container::value_type wany(const Container &items, int type) {
        if (items.empty()) quit(_fail, "random_t::wany: the container is empty");
        return *std::next(items.begin(), wnext((long long)items.size(), type));
    }

    template <typename T, typename E = int> std::vector<E> perm(T size, E first = E(0)) {
        std::vector<E> order((size_t)size);
        std::iota(order.begin(), order.end(), first);
        for (size_t i = 1; i < order.size(); i++) std::swap(order[i], order[(size_t)next((long long)i + 1)]);
        return order;
    }
    // `size` distinct numbers from `from` to `to`, in random order.
    template <typename T> std::vector<T> distinct(int size, T from, T to) {
        if (size < 0 || from > to || (unsigned long long)size > span(from, to))
            quit(_fail, "random_t::distinct: there are too few numbers in the range");
        std::vector<T> chosen;
        unsigned long long count = span(from, to);
        if ((unsigned long long)size * 2 < count) {
            std::set<T> seen;
            while ((int)chosen.size() < size) {
                T value = (T)next((long long)from, (long long)to);
                if (seen.insert(value).second) chosen.push_back(value);
            }
            return chosen;
        }
        std::vector<T> all((size_t)count);
        std::iota(all.begin(), all.end(), from);
        for (int i = 0; i < size; i++) std::swap(all[i], all[i + (size_t)next((long long)all.size() - i)]);
        all.resize(size);
        return all;
    }
    template <typename T> std::vector<T> distinct(int size, T upper) { return distinct(size, T(0), T(upper - 1)); }
    // `size` numbers of at least `smallest` whose sum is `sum`, each such list with the same probability.
    template <typename T> std::vector<T> partition(int size, T sum, T smallest = T(1)) {
        T rest = sum - smallest * size;
        if (size <= 0 || rest < 0) quit(_fail, "random_t::partition: the sum is too small");
        std::vector<T> bars = distinct<T>(size - 1, T(0), T(rest + size - 2));
        std::sort(bars.begin(), bars.end());
        std::vector<T> parts;
        T before = -1;
        for (T bar : bars) {
            parts.push_back(smallest + bar - before - 1);
            before = bar;
        }
        parts.push_back(smallest + (rest + size - 1) - before - 1);
        return parts;
    }

  private:
    unsigned long long state_;

    unsigned long long draw() {  // splitmix64
        unsigned long long z = (state_ += 0x9E3779B97F4A7C15ull);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
        return z ^ (z >> 31);
    }
    unsigned long long below(unsigned long long n) {
        unsigned long long limit = ~0ull - (~0ull % n + 1) % n, value;
        do value = draw();
        while (value > limit);
        return value % n;
    }
    template <typename T> unsigned long long positive(T n) {
        if (n <= 0) quit(_fail, "random_t::next(n): n must be positive");
        return (unsigned long long)n;
    }
    template <typename T> unsigned long long span(T from, T to) {
        if (from > to) quit(_fail, "random_t: from must not exceed to");
        return (unsigned long long)to - (unsigned long long)from + 1;
    }
    long long between(long long from, long long to) {
        unsigned long long size = span(from, to);
        return (long long)((unsigned long long)from + (size == 0 ? draw() : below(size)));
    }
    unsigned long long weighted(unsigned long long n, int type) {
        unsigned long long value = below(n);
        if (std::abs((long long)type) > 32) return std::min(n - 1, (unsigned long long)((double)n * wnext(type)));
        for (int i = 0; i < std::abs(type); i++) value = type > 0 ? std::max(value, below(n)) : std::min(value, below(n));
        return value;
    }
};

inline random_t rnd;

// Patterns such as `[a-z]{1,5}|-?(0|[1-9][0-9]{0,3})`: sets, groups, alternatives and counts, for matching and generating.
class pattern {
  public:
    explicit pattern(const std::string &text) : text_(text) {
        size_t at = 0;
        root_ = parse(at);
        if (at != text_.size()) quit(_fail, "pattern '" + text_ + "' has an unmatched bracket");
    }
    bool matches(const std::string &word) const {
        std::set<size_t> ends = match(root_, word, {0});
        return ends.count(word.size()) > 0;
    }
    std::string next(random_t &random) const {
        std::string out;
        generate(root_, random, out);
        return out;
    }
    const std::string &src() const { return text_; }

  private:
    struct Node {
        std::vector<std::vector<Node>> choices;  // alternatives of sequences, for a group
        std::set<unsigned char> letters;         // or a set of characters
        int from = 1, to = 1;                    // to < 0: unbounded
    };
    std::string text_;
    Node root_;

    [[noreturn]] void fail() const { quit(_fail, "pattern '" + text_ + "' is invalid"); }
    Node parse(size_t &at) const {
        Node group;
        group.choices.emplace_back();
        while (at < text_.size() && text_[at] != ')') {
            if (text_[at] == '|') {
                at++;
                group.choices.emplace_back();
                continue;
            }
            Node item;
            if (text_[at] == '(') {
                item = parse(++at);
                if (at++ >= text_.size()) fail();
            } else if (text_[at] == '[') {
                item.letters = parse_set(++at);
            } else {
                item.letters = {(unsigned char)take(at)};
            }
            parse_count(at, item);
            group.choices.back().push_back(item);
        }
        return group;
    }
    char take(size_t &at) const {
        if (text_[at] == '\\' && ++at >= text_.size()) fail();
        return text_[at++];
    }
    std::set<unsigned char> parse_set(size_t &at) const {
        std::set<unsigned char> letters;
        bool negated = at < text_.size() && text_[at] == '^';
        at += negated;
        while (at < text_.size() && text_[at] != ']') {
            unsigned char first = (unsigned char)take(at), last = first;
            if (at + 1 < text_.size() && text_[at] == '-' && text_[at + 1] != ']') last = (unsigned char)take(++at);
            if (first > last) fail();
            for (int c = first; c <= last; c++) letters.insert((unsigned char)c);
        }
        if (at++ >= text_.size()) fail();
        if (!negated) return letters;
        std::set<unsigned char> others;
        for (int c = 32; c < 127; c++)
            if (!letters.count((unsigned char)c)) others.insert((unsigned char)c);
        return others;
    }
    void parse_count(size_t &at, Node &item) const {
        if (at >= text_.size()) return;
        char c = text_[at];
        if (c == '?' || c == '*' || c == '+') {
            item.from = c == '+';
            item.to = c == '?' ? 1 : -1;
            at++;
        } else if (c == '{') {
            size_t close = text_.find('}', at);
            if (close == std::string::npos) fail();
            std::string inside = text_.substr(at + 1, close - at - 1);
            size_t comma = inside.find(',');
            item.from = atoi(inside.c_str());
            item.to = comma == std::string::npos ? item.from : comma + 1 == inside.size() ? -1 : atoi(inside.c_str() + comma + 1);
            if (item.to >= 0 && item.to < item.from) fail();
            at = close + 1;
        }
    }
    std::set<size_t> step(const Node &node, const std::string &word, const std::set<size_t> &starts) const {
        std::set<size_t> ends;
        if (node.choices.empty()) {
            for (size_t start : starts)
                if (start < word.size() && node.letters.count((unsigned char)word[start])) ends.insert(start + 1);
            return ends;
        }
        for (const auto &sequence : node.choices) {
            std::set<size_t> here = starts;
            for (const Node &item : sequence) here = match(item, word, here);
            ends.insert(here.begin(), here.end());
        }
        return ends;
    }
    std::set<size_t> match(const Node &node, const std::string &word, std::set<size_t> here) const {
        std::set<size_t> ends;
        if (node.from == 0) ends = here;
        for (int times = 1; (node.to < 0 || times <= node.to) && !here.empty(); times++) {
            here = step(node, word, here);
            size_t before = ends.size();
            if (times >= node.from) ends.insert(here.begin(), here.end());
            if (node.to < 0 && times > node.from && ends.size() == before) break;
        }
        return ends;
    }
    void generate(const Node &node, random_t &random, std::string &out) const {
        if (node.to < 0) quit(_fail, "pattern '" + text_ + "' has no longest word, so it cannot be generated");
        int times = random.next(node.from, node.to);
        for (int i = 0; i < times; i++) {
            if (node.choices.empty()) {
                if (node.letters.empty()) fail();
                out += (char)random.any(node.letters);
            } else {
                for (const Node &item : random.any(node.choices)) generate(item, random, out);
            }
        }
    }
};

inline std::string random_t::next(const std::string &rule) { return pattern(rule).next(*this); }
inline std::string random_t::next(const char *rule, ...) {
    TESTLIB_FORMAT(text, rule);
    return pattern(text).next(*this);
}

// A stream of one of the files. Faults in `ouf` are the program's, faults in `inf` and `ans` are ours (_fail).
class InStream {
  public:
    bool strict = false;
    TMode mode = _input;
    std::string name = "";

    void open(FILE *file, TMode which, const std::string &title) {
        file_ = file;
        mode = which;
        name = title;
        line_ = 1;
        has_ = false;
    }
    void init(const std::string &path, TMode which) {
        FILE *file = fopen(path.c_str(), "rb");
        if (!file) {
            mode = which;
            quit(_pe, "cannot open " + path);
        }
        open(file, which, path);
    }
    void close() {
        if (file_ && file_ != stdin) fclose(file_);
        file_ = nullptr;
    }

    [[noreturn]] void quit(TResult result, const std::string &message) {
        std::string text = message;
        if (mode != _output && result != _fail) result = _fail;
        if (testlibMode == _validator || (result == _fail && mode != _output)) text += " (" + name + ", line " + vtos(line_) + ")";
        ::quit(result, text);
    }
    [[noreturn]] void quitf(TResult result, const char *rule, ...) __attribute__((format(printf, 3, 4))) {
        TESTLIB_FORMAT(text, rule);
        quit(result, text);
    }
    void quitif(bool condition, TResult result, const char *rule, ...) __attribute__((format(printf, 4, 5))) {
        if (!condition) return;
        TESTLIB_FORMAT(text, rule);
        quit(result, text);
    }
    void ensuref(bool condition, const char *rule, ...) __attribute__((format(printf, 3, 4))) {
        if (condition) return;
        TESTLIB_FORMAT(text, rule);
        quit(_wa, text);
    }

    int curChar() {
        if (!has_) {
            int c = file_ ? getc_unlocked(file_) : EOF;
            next_ = c;
            has_ = true;
        }
        return next_ == EOF ? EOFC : next_;
    }
    bool eof() {
        curChar();
        return next_ == EOF;
    }
    int nextChar() {
        int c = curChar();
        if (next_ == '\n') line_++;
        if (next_ != EOF) has_ = false;
        return c;
    }
    void skipChar() { nextChar(); }
    int readChar() {
        if (eof()) quit(_unexpected_eof, "unexpected end of file: a character was expected");
        return nextChar();
    }
    char readChar(char wanted) {
        int c = readChar();
        if (c != (unsigned char)wanted) quit(_pe, std::string("expected the character '") + wanted + "', found '" + (char)c + "'");
        return (char)c;
    }
    char readSpace() { return readChar(' '); }
    void unreadChar(int c) {
        if (has_) quit(_fail, "unreadChar: only one character can be put back");
        next_ = c;
        has_ = true;
        if (c == '\n') line_--;
    }
    void skipBlanks() {
        while (!eof() && testlib_detail::is_blank(next_)) nextChar();
    }
    bool seekEof() {
        skipBlanks();
        return eof();
    }
    bool eoln() {
        if (!strict) skip_carriage_return();
        return eof() ? !strict : next_ == '\n';
    }
    bool seekEoln() {
        while (!eof() && (next_ == ' ' || next_ == '\t')) nextChar();
        return eoln();
    }
    void nextLine() { readLine(); }
    void skipLine() { readLine(); }
    void readEoln() {
        if (!strict) seekEoln();
        if (eof() && !strict) return;
        if (eof()) quit(_pe, "expected the end of the line, found the end of the file");
        if (nextChar() != '\n') quit(_pe, "expected the end of the line");
    }
    void readEof() {
        if (!strict) skipBlanks();
        if (!eof()) quit(_pe, "expected the end of the file");
        if (testlibMode == _validator) testlib_detail::state().ended_input = true;
    }

    std::string readToken() {
        if (!strict) skipBlanks();
        if (eof()) quit(_unexpected_eof, "unexpected end of file: a token was expected");
        if (testlib_detail::is_blank(next_)) quit(_pe, "expected a token, found white space");
        std::string token;
        while (!eof() && !testlib_detail::is_blank(next_)) token += (char)nextChar();
        return token;
    }
    std::string readToken(const std::string &rule, const std::string &title = "") { return check_pattern(readToken(), pattern(rule), title); }
    std::string readToken(const pattern &rule, const std::string &title = "") { return check_pattern(readToken(), rule, title); }
    std::string readWord() { return readToken(); }
    std::string readWord(const std::string &rule, const std::string &title = "") { return readToken(rule, title); }
    std::string readWord(const pattern &rule, const std::string &title = "") { return readToken(rule, title); }
    void readTokenTo(std::string &to) { to = readToken(); }
    void readWordTo(std::string &to) { to = readToken(); }
    void readTokenTo(std::string &to, const std::string &rule, const std::string &title = "") { to = readToken(rule, title); }
    void readWordTo(std::string &to, const std::string &rule, const std::string &title = "") { to = readToken(rule, title); }

    std::string readLine() {
        if (eof()) quit(_unexpected_eof, "unexpected end of file: a line was expected");
        std::string line;
        while (!eof() && next_ != '\n') line += (char)nextChar();
        if (eof() && strict) quit(_pe, "the last line does not end with a line feed");
        if (!eof()) nextChar();
        if (!strict && !line.empty() && line.back() == '\r') line.pop_back();
        return line;
    }
    std::string readLine(const std::string &rule, const std::string &title = "") { return check_pattern(readLine(), pattern(rule), title); }
    std::string readLine(const pattern &rule, const std::string &title = "") { return check_pattern(readLine(), rule, title); }
    std::string readString() { return readLine(); }
    std::string readString(const std::string &rule, const std::string &title = "") { return readLine(rule, title); }
    void readLineTo(std::string &to) { to = readLine(); }
    void readStringTo(std::string &to) { to = readLine(); }
    void readLineTo(std::string &to, const std::string &rule, const std::string &title = "") { to = readLine(rule, title); }

    long long readLong() {
        std::string token = readToken();
        long long value;
        if (!testlib_detail::parse_integer(token, value)) quit(_pe, "expected an integer, found '" + testlib_detail::shorten(token) + "'");
        return value;
    }
    long long readLong(long long low, long long high, const std::string &title = "") { return check_range(readLong(), low, high, title); }
    int readInt() {
        long long value = readLong();
        if (value < INT_MIN || value > INT_MAX) quit(_pe, "expected a 32-bit integer, found " + vtos(value));
        return (int)value;
    }
    int readInt(int low, int high, const std::string &title = "") { return check_range(readInt(), low, high, title); }
    int readInteger() { return readInt(); }
    int readInteger(int low, int high, const std::string &title = "") { return readInt(low, high, title); }
    unsigned long long readUnsignedLong() {
        std::string token = readToken();
        unsigned long long value;
        if (!testlib_detail::parse_unsigned(token, value)) quit(_pe, "expected an unsigned integer, found '" + testlib_detail::shorten(token) + "'");
        return value;
    }
    unsigned long long readUnsignedLong(unsigned long long low, unsigned long long high, const std::string &title = "") {
        return check_range(readUnsignedLong(), low, high, title);
    }
    unsigned readUnsignedInt(unsigned low = 0, unsigned high = UINT_MAX, const std::string &title = "") {
        return (unsigned)readUnsignedLong(low, high, title);
    }
    double readReal() {
        std::string token = readToken();
        double value;
        if (!testlib_detail::parse_real(token, value, false, 0, 0)) quit(_pe, "expected a number, found '" + testlib_detail::shorten(token) + "'");
        return value;
    }
    double readReal(double low, double high, const std::string &title = "") { return check_range(readReal(), low, high, title); }
    double readDouble() { return readReal(); }
    double readDouble(double low, double high, const std::string &title = "") { return readReal(low, high, title); }
    double readStrictReal(double low, double high, int min_digits, int max_digits, const std::string &title = "") {
        std::string token = readToken();
        double value;
        if (!testlib_detail::parse_real(token, value, true, min_digits, max_digits))
            quit(_pe, "expected a number with " + vtos(min_digits) + " to " + vtos(max_digits) + " digits after the point, found '" +
                          testlib_detail::shorten(token) + "'");
        return check_range(value, low, high, title);
    }
    double readStrictDouble(double low, double high, int min_digits, int max_digits, const std::string &title = "") {
        return readStrictReal(low, high, min_digits, max_digits, title);
    }

    std::vector<int> readInts(int size, int low, int high, const std::string &title = "", int first = 1) {
        return read_many<int>(size, title, first, [&](const std::string &each) { return readInt(low, high, each); });
    }
    std::vector<int> readInts(int size, int first = 1) {
        return read_many<int>(size, "", first, [&](const std::string &) { return readInt(); });
    }
    std::vector<int> readIntegers(int size, int low, int high, const std::string &title = "", int first = 1) { return readInts(size, low, high, title, first); }
    std::vector<long long> readLongs(int size, long long low, long long high, const std::string &title = "", int first = 1) {
        return read_many<long long>(size, title, first, [&](const std::string &each) { return readLong(low, high, each); });
    }
    std::vector<long long> readLongs(int size, int first = 1) {
        return read_many<long long>(size, "", first, [&](const std::string &) { return readLong(); });
    }
    std::vector<double> readReals(int size, double low, double high, const std::string &title = "", int first = 1) {
        return read_many<double>(size, title, first, [&](const std::string &each) { return readReal(low, high, each); });
    }
    std::vector<double> readDoubles(int size, double low, double high, const std::string &title = "", int first = 1) { return readReals(size, low, high, title, first); }
    std::vector<double> readStrictReals(int size, double low, double high, int min_digits, int max_digits, const std::string &title = "", int first = 1) {
        return read_many<double>(size, title, first, [&](const std::string &each) { return readStrictReal(low, high, min_digits, max_digits, each); });
    }
    std::vector<std::string> readTokens(int size, const std::string &rule = "", const std::string &title = "", int first = 1) {
        return read_many<std::string>(size, title, first, [&](const std::string &each) { return rule.empty() ? readToken() : readToken(rule, each); });
    }
    std::vector<std::string> readWords(int size, const std::string &rule = "", const std::string &title = "", int first = 1) { return readTokens(size, rule, title, first); }
    std::vector<std::string> readLines(int size, const std::string &rule = "", const std::string &title = "", int first = 1) {
        std::vector<std::string> lines;
        for (int i = 0; i < size; i++) lines.push_back(rule.empty() ? readLine() : readLine(rule, title + "[" + vtos(i + first) + "]"));
        return lines;
    }
    std::vector<std::string> readStrings(int size, const std::string &rule = "", const std::string &title = "", int first = 1) { return readLines(size, rule, title, first); }

  private:
    FILE *file_ = nullptr;
    int next_ = EOF, line_ = 1;
    bool has_ = false;

    void skip_carriage_return() {
        if (!eof() && next_ == '\r') nextChar();
    }
    template <typename T> T check_range(T value, T low, T high, const std::string &title) {
        if (value < low || value > high || value != value)
            quit(_wa, (title.empty() ? "the number " : title + " = ") + vtos(value) + " is not in the range [" + vtos(low) + ", " + vtos(high) + "]");
        return value;
    }
    std::string check_pattern(const std::string &text, const pattern &rule, const std::string &title) {
        if (!rule.matches(text))
            quit(_wa, (title.empty() ? "'" : title + " = '") + testlib_detail::shorten(text) + "' does not match the pattern '" + rule.src() + "'");
        return text;
    }
    template <typename T, typename Read> std::vector<T> read_many(int size, const std::string &title, int first, Read read) {
        std::vector<T> values;
        for (int i = 0; i < size; i++) {
            if (strict && i > 0) readSpace();
            values.push_back(read(title.empty() ? "" : title + "[" + vtos(i + first) + "]"));
        }
        return values;
    }
};

inline InStream inf, ouf, ans;

// Ending.
inline std::string testlib_describe(TResult result) {
    switch (result) {
        case _ok: return "ok ";
        case _wa: return "wrong answer ";
        case _pe: return "wrong output format ";
        case _fail: return "FAIL ";
        case _dirt: return "wrong output format ";
        case _points: return "points ";
        case _unexpected_eof: return "unexpected eof ";
        default: return "partially correct (" + toString(int(result) - int(_partially)) + ") ";
    }
}

inline void quit(TResult result, const std::string &message) {
    if (result == _ok && testlibMode == _checker && !ouf.seekEof()) {
        testlib_detail::leave(_pe, testlib_describe(_pe) + "extra text after the answer");
    }
    std::string place = testlib_detail::state().test_case > 0 && result != _ok && result != _points
                            ? "test case " + toString(testlib_detail::state().test_case) + ": "
                            : "";
    int code = result == _points ? 7 : result >= _partially ? 50 + std::min(100, int(result) - int(_partially)) : int(result);
    testlib_detail::leave(code, testlib_describe(result) + place + message);
}
inline void quitf(TResult result, const char *rule, ...) {
    TESTLIB_FORMAT(text, rule);
    quit(result, text);
}
inline void quitif(bool condition, TResult result, const char *rule, ...) {
    if (!condition) return;
    TESTLIB_FORMAT(text, rule);
    quit(result, text);
}
[[noreturn]] inline void quitp(double points, const std::string &message = "") { quit(_points, format("%.10g ", points) + message); }
[[noreturn]] inline void quitp(double points, const char *rule, ...) {
    TESTLIB_FORMAT(text, rule);
    quit(_points, format("%.10g ", points) + text);
}
[[noreturn]] inline void quitpi(const std::string &points, const std::string &message = "") { quit(_points, points + " " + message); }

inline void ensuref(bool condition, const char *rule, ...) {
    if (condition) return;
    TESTLIB_FORMAT(text, rule);
    quit(_fail, text);
}
inline void testlib_ensure(bool condition, const char *text) {
    if (!condition) quit(_fail, std::string("the condition ") + text + " does not hold");
}
#define ensure(condition) testlib_ensure((condition), #condition)
#define ensure_ext ensuref

template <typename T> [[noreturn]] void expectedButFound(TResult result, const T &expected, const T &found, const std::string &prefix = "") {
    quit(result, (prefix.empty() ? "" : prefix + ": ") + "expected '" + vtos(expected) + "', found '" + vtos(found) + "'");
}
template <typename T> [[noreturn]] void expectedButFound(TResult result, const T &expected, const T &found, const char *rule, ...) {
    TESTLIB_FORMAT(text, rule);
    expectedButFound(result, expected, found, std::string(text));
}

inline void setName(const char *rule, ...) {
    TESTLIB_FORMAT(text, rule);
    testlib_detail::state().checker_name = text;
}
// The number of the case within a test, for messages.
inline void setTestCase(int number) { testlib_detail::state().test_case = number; }
inline void unsetTestCase() { testlib_detail::state().test_case = 0; }
inline void disableFinalizeGuard() { testlib_detail::state().guarded = false; }

// A program must report its result: a checker and an interactor by quit, a validator by readEof.
struct TestlibFinalizeGuard {
    ~TestlibFinalizeGuard() {
        auto &state = testlib_detail::state();
        if (state.finished || !state.guarded) return;
        if (testlibMode == _checker) testlib_detail::leave(_fail, "FAIL a checker must end by calling quit or quitf");
        if (testlibMode == _interactor) testlib_detail::leave(_fail, "FAIL an interactor must end by calling quit or quitf");
        if (testlibMode == _validator && !state.ended_input) testlib_detail::leave(_fail, "FAIL a validator must end by calling inf.readEof()");
        if (testlibMode == _generator && state.checks_options && state.used_options)
            for (const auto &option : state.options)
                if (!state.used.count(option.first)) testlib_detail::leave(_fail, "FAIL the option '" + option.first + "' is not used");
    }
};
inline TestlibFinalizeGuard testlibFinalizeGuard;

// Registration: the first call of main.
inline void registerTestlibCmd(int count, char *arguments[]) {
    testlibMode = _checker;
    if (count < 4) quit(_fail, "a checker needs the arguments input output answer");
    if (count > 4) testlib_detail::state().result_file = arguments[4];
    inf.init(arguments[1], _input);
    ouf.init(arguments[2], _output);
    ans.init(arguments[3], _answer);
}
inline void registerTestlib(int count, ...) {
    std::vector<char *> arguments = {const_cast<char *>("checker")};
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; i++) arguments.push_back(va_arg(list, char *));
    va_end(list);
    registerTestlibCmd((int)arguments.size(), arguments.data());
}
inline void registerInteraction(int count, char *arguments[]) {
    testlibMode = _interactor;
    if (count < 3) quit(_fail, "an interactor needs the arguments input output [answer]");
    inf.init(arguments[1], _input);
    tout.open(arguments[2], std::ios::out);
    if (tout.fail()) quit(_fail, std::string("cannot write ") + arguments[2]);
    ouf.open(stdin, _output, "stdin");
    if (count > 3) ans.init(arguments[3], _answer);
}

class Validator {
  public:
    std::string testset() const { return testlib_detail::state().testset; }
    std::string group() const { return testlib_detail::state().group; }
    void addFeature(const std::string &feature) { testlib_detail::state().features.insert(feature); }
    void feature(const std::string &feature) {
        if (!testlib_detail::state().features.count(feature)) quit(_fail, "the feature '" + feature + "' was not added");
        testlib_detail::state().found_features.insert(feature);
    }
};
inline Validator validator;

inline void registerValidation() {
    testlibMode = _validator;
    inf.open(stdin, _input, "stdin");
    inf.strict = true;
}
inline void registerValidation(int count, char *arguments[]) {
    registerValidation();
    for (int i = 1; i < count; i++) {
        std::string key = arguments[i];
        if (key.rfind("--test", 0) != 0 && key != "--group") continue;
        if (++i >= count) quit(_fail, "the option " + key + " needs a value");
        if (key == "--testset") testlib_detail::state().testset = arguments[i];
        if (key == "--group") testlib_detail::state().group = arguments[i];
    }
}
inline void addFeature(const std::string &feature) { validator.addFeature(feature); }
inline void feature(const std::string &feature) { validator.feature(feature); }

// Options of a generator: -key=value, --key=value, -key value, -keyNUMBER, and -key alone for true.
inline void testlib_parse_options(int count, char *arguments[]) {
    auto &state = testlib_detail::state();
    for (int i = 1; i < count; i++) state.arguments.push_back(arguments[i]);
    auto is_key = [](const std::string &text) { return text.size() > 1 && text[0] == '-' && !isdigit((unsigned char)text[1]) && text[1] != '.'; };
    for (int i = 1; i < count; i++) {
        std::string text = arguments[i];
        if (!is_key(text)) continue;
        std::string key = text.substr(text[1] == '-' ? 2 : 1);
        size_t equals = key.find('=');
        size_t digit = key.find_first_of("0123456789");
        if (equals != std::string::npos) {
            state.options[key.substr(0, equals)] = key.substr(equals + 1);
        } else if (i + 1 < count && !is_key(arguments[i + 1])) {
            state.options[key] = arguments[++i];
        } else if (text[1] != '-' && digit != std::string::npos && digit > 0) {
            size_t start = digit - (key[digit - 1] == '-');
            state.options[key.substr(0, start)] = key.substr(start);
        } else {
            state.options[key] = "true";
        }
    }
}
inline void registerGen(int count, char *arguments[], int version) {
    testlibMode = _generator;
    if (version != 0 && version != 1) quit(_fail, "registerGen: the version must be 0 or 1");
    rnd.setSeed(count, arguments);
    testlib_parse_options(count, arguments);
}
inline void registerGen(int count, char *arguments[]) { registerGen(count, arguments, 0); }
inline void prepareOpts(int count, char *arguments[]) { testlib_parse_options(count, arguments); }

inline bool has_opt(const std::string &key) {
    auto &state = testlib_detail::state();
    state.used.insert(key);
    state.used_options = true;
    return state.options.count(key) > 0;
}
template <typename T> T testlib_convert(const std::string &text, const std::string &what) {
    if constexpr (std::is_same<T, std::string>::value) {
        return text;
    } else if constexpr (std::is_same<T, bool>::value) {
        if (text == "true" || text == "1") return true;
        if (text == "false" || text == "0") return false;
        quit(_fail, what + " = '" + text + "' is not true or false");
    } else if constexpr (std::is_floating_point<T>::value) {
        double value;
        if (!testlib_detail::parse_real(text, value, false, 0, 0)) quit(_fail, what + " = '" + text + "' is not a number");
        return (T)value;
    } else if constexpr (std::is_same<T, char>::value) {
        if (text.size() != 1) quit(_fail, what + " = '" + text + "' is not one character");
        return text[0];
    } else if constexpr (std::is_unsigned<T>::value) {
        unsigned long long value;
        if (!testlib_detail::parse_unsigned(text, value) || value > std::numeric_limits<T>::max()) quit(_fail, what + " = '" + text + "' is not an unsigned integer of its type");
        return (T)value;
    } else {
        long long value;
        if (!testlib_detail::parse_integer(text, value) || value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max())
            quit(_fail, what + " = '" + text + "' is not an integer of its type");
        return (T)value;
    }
}
template <typename T> T opt(int index) {
    auto &arguments = testlib_detail::state().arguments;
    if (index < 1 || index > (int)arguments.size()) quit(_fail, "there is no argument " + vtos(index));
    return testlib_convert<T>(arguments[index - 1], "argument " + vtos(index));
}
template <typename T> T opt(const std::string &key) {
    if (!has_opt(key)) quit(_fail, "the option '" + key + "' is missing");
    return testlib_convert<T>(testlib_detail::state().options[key], "option '" + key + "'");
}
template <typename T> T opt(const std::string &key, const T &otherwise) { return has_opt(key) ? opt<T>(key) : otherwise; }
inline std::string opt(int index) { return opt<std::string>(index); }
inline std::string opt(const std::string &key) { return opt<std::string>(key); }
inline std::string opt(const std::string &key, const std::string &otherwise) { return opt<std::string>(key, otherwise); }
inline void suppressEnsureNoUnusedOpts() { testlib_detail::state().checks_options = false; }
inline void ensureNoUnusedOpts() { testlib_detail::state().used_options = true; }
// Several values in one option, separated by commas.
template <typename T> std::vector<T> opts(const std::string &key, char separator = ',') {
    std::vector<T> values;
    std::string part;
    std::istringstream in(opt<std::string>(key));
    while (std::getline(in, part, separator)) values.push_back(testlib_convert<T>(part, "option '" + key + "'"));
    return values;
}
inline void startTest(int test) {
    if (!freopen(vtos(test).c_str(), "wt", stdout)) quit(_fail, "cannot write the file " + vtos(test));
}

template <typename Iterator> void shuffle(Iterator begin, Iterator end) {
    for (auto size = std::distance(begin, end), i = decltype(size)(1); i < size; i++) std::iter_swap(begin + i, begin + rnd.next((long long)i + 1));
}

// Texts and numbers.
inline std::string trim(const std::string &text) {
    size_t from = 0, to = text.size();
    while (from < to && testlib_detail::is_blank(text[from])) from++;
    while (to > from && testlib_detail::is_blank(text[to - 1])) to--;
    return text.substr(from, to - from);
}
inline std::string upperCase(std::string text) {
    for (char &c : text) c = (char)toupper((unsigned char)c);
    return text;
}
inline std::string lowerCase(std::string text) {
    for (char &c : text) c = (char)tolower((unsigned char)c);
    return text;
}
inline std::string compress(const std::string &text) { return testlib_detail::shorten(text); }
inline std::string englishEnding(int number) {
    number %= 100;
    if (number / 10 == 1) return "th";
    return number % 10 == 1 ? "st" : number % 10 == 2 ? "nd" : number % 10 == 3 ? "rd" : "th";
}
template <typename Iterator> std::string join(Iterator begin, Iterator end, const std::string &separator = " ") {
    std::ostringstream out;
    for (Iterator it = begin; it != end; ++it) out << (it == begin ? "" : separator) << *it;
    return out.str();
}
template <typename Container> std::string join(const Container &items, const std::string &separator = " ") { return join(items.begin(), items.end(), separator); }
inline std::vector<std::string> split(const std::string &text, const std::string &separators) {
    std::vector<std::string> parts(1);
    for (char c : text) {
        if (separators.find(c) != std::string::npos) parts.emplace_back();
        else parts.back() += c;
    }
    return parts;
}
inline std::vector<std::string> split(const std::string &text, char separator) { return split(text, std::string(1, separator)); }
inline std::vector<std::string> tokenize(const std::string &text, const std::string &separators) {
    std::vector<std::string> parts;
    for (const std::string &part : split(text, separators))
        if (!part.empty()) parts.push_back(part);
    return parts;
}
inline std::vector<std::string> tokenize(const std::string &text, char separator) { return tokenize(text, std::string(1, separator)); }
inline bool isNaN(double value) { return value != value; }
inline double doubleDelta(double expected, double result) {
    double absolute = std::fabs(result - expected);
    return std::fabs(expected) > 1e-9 ? std::min(absolute, absolute / std::fabs(expected)) : absolute;
}
inline bool doubleCompare(double expected, double result, double error) {
    if (isNaN(expected) || isNaN(result)) return isNaN(expected) && isNaN(result);
    if (std::isinf(expected) || std::isinf(result)) return expected == result;
    error += 1e-15;
    if (std::fabs(result - expected) <= error) return true;
    double low = std::min(expected * (1 - error), expected * (1 + error)), high = std::max(expected * (1 - error), expected * (1 + error));
    return low <= result && result <= high;
}
inline long long stringToLongLong(InStream &in, const std::string &text) {
    long long value;
    if (!testlib_detail::parse_integer(text, value)) in.quit(_pe, "expected an integer, found '" + compress(text) + "'");
    return value;
}
inline double stringToDouble(InStream &in, const std::string &text) {
    double value;
    if (!testlib_detail::parse_real(text, value, false, 0, 0)) in.quit(_pe, "expected a number, found '" + compress(text) + "'");
    return value;
}

// println(a, b, c), println(container) and println(begin, end): values between single spaces, then a line feed.
namespace testlib_detail {
template <typename T> void print(const T &value, long);
template <typename A, typename B> void print(const std::pair<A, B> &value, int);
template <typename T> auto print(const T &value, int) -> decltype(value.begin(), value.end(), void()) {
    if constexpr (std::is_convertible<T, std::string>::value) {
        std::cout << value;
    } else {
        bool first = true;
        for (const auto &item : value) {
            if (!first) std::cout << ' ';
            first = false;
            print(item, 0);
        }
    }
}
template <typename T> void print(const T &value, long) { std::cout << value; }
template <typename A, typename B> void print(const std::pair<A, B> &value, int) { std::cout << value.first << ' ' << value.second; }
template <typename T, typename = void> struct is_iterator : std::false_type {};
template <typename T> struct is_iterator<T, std::void_t<typename std::iterator_traits<T>::iterator_category>> : std::true_type {};
template <> struct is_iterator<const char *> : std::false_type {};
template <> struct is_iterator<char *> : std::false_type {};
}  // namespace testlib_detail

template <typename T> void println(const T &value) {
    testlib_detail::print(value, 0);
    std::cout << '\n';
}
template <typename A, typename B, typename... More> void println(const A &first, const B &second, const More &...more) {
    if constexpr (sizeof...(More) == 0 && std::is_same<A, B>::value && testlib_detail::is_iterator<A>::value) {
        std::cout << join(first, second) << '\n';
    } else {
        testlib_detail::print(first, 0);
        std::cout << ' ';
        println(second, more...);
    }
}
