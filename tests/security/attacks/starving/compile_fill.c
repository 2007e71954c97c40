// attack: a four-gigabyte hole in the object file
// contained: RLIMIT_FSIZE and the memory limit
// expect: compile_error
// compile_limits: {"cpu_time_s": 2, "wall_time_s": 4, "memory_mb": 256, "file_mb": 32}

__asm__(".data\n.fill 2000000000,1,1\n");
int main(void) { return 0; }
