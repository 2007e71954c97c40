// attack: a fork bomb in C
// contained: RLIMIT_NPROC and the CPU limit of the whole tree
// expect: time_limit_exceeded

#include <unistd.h>
int main(void) { for (;;) fork(); }
