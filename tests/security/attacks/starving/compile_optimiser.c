// attack: code that keeps the optimizer busy forever
// contained: the compiler's own limits
// expect: ok, compile_error
// compile_limits: {"cpu_time_s": 1, "wall_time_s": 4, "memory_mb": 256}

#define A x = x * 3 + y; if (x & 1) y += x; else y ^= x;
#define B A A A A A A A A A A
#define C B B B B B B B B B B
#define D C C C C C C C C C C
int f(int x, int y) { for (;;) { D D D } return x; }
int main(void) { return 0; }
