// attack: macros that expand to a billion tokens
// contained: the compiler's own limits
// expect: compile_error
// compile_limits: {"cpu_time_s": 1, "wall_time_s": 4, "memory_mb": 256}

#define A(x) x x x x x x x x x x
#define B(x) A(A(A(x)))
#define C(x) B(B(B(x)))
int main(void) { C(;) return 0; }
