// attack: an executable that is larger than the memory limit of its runs and stored in the box's memory
// contained: a program's own files are counted separately
// expect: ok
// compile_limits: {"cpu_time_s": 5, "wall_time_s": 10, "memory_mb": 1024, "file_mb": 128}
// stdout: fine

#include <stdio.h>
char data[80 << 20] = {1};
int main(void) { puts(data[0] ? "fine" : "?"); }
