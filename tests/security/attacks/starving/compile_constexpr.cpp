// attack: a constant expression that computes forever
// contained: the compiler's own limits
// expect: compile_error
// compile_limits: {"cpu_time_s": 1, "wall_time_s": 4, "memory_mb": 256}

constexpr long spin(long n) { long s = 0; for (long i = 0; i < n; i++) for (long j = 0; j < n; j++) s += i ^ j; return s; }
template <long N> struct Row { static constexpr long value = spin(4000 + N); };
static_assert(Row<1>::value + Row<2>::value + Row<3>::value != 1);
int main() {}
