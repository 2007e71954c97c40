// attack: an assembler loop that fills memory and disk
// contained: the compiler's own limits
// expect: compile_error
// compile_limits: {"cpu_time_s": 1, "wall_time_s": 4, "memory_mb": 256, "file_mb": 32}

__asm__(".data\n.rept 1000000000\n.quad 1,2,3,4\n.endr\n");
int main(void) { return 0; }
