// attack: a fork bomb in C
// contained: RLIMIT_NPROC and the CPU limit of the whole tree
// expect: time_limit_exceeded
// limits: {"memory_mb": 512}

#include <unistd.h>
int main(void) { for (;;) fork(); }
