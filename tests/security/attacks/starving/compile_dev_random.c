// attack: include random bytes without end
// contained: the compiler's own limits
// expect: compile_error
// compile_limits: {"cpu_time_s": 1, "wall_time_s": 4, "memory_mb": 256}

#include "/dev/random"
int main(void) { return 0; }
