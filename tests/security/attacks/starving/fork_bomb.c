// attack: a fork bomb in C
// contained: RLIMIT_NPROC and the CPU limit of the whole tree; a fork that fails costs kernel memory, which newer kernels free late
// expect: time_limit_exceeded, memory_limit_exceeded

#include <unistd.h>
int main(void) { for (;;) fork(); }
