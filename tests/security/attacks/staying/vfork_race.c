// attack: processes that clone with shared memory and exit faster than they can be listed, at a tenth of a fork's cost
// contained: a dead parent stays listed until the supervisor reaps it, as with forks
// expect: ok
// limits: {"memory_mb": 512}

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <unistd.h>
enum { STACKS = 64, STACK_SIZE = 16384 };
static char stacks[4][STACKS][STACK_SIZE] __attribute__((aligned(16)));
static int link_of_chain(void *chain) {
    // A ring of stacks: the chain must not end by meeting the memory limit.
    for (unsigned next = 0;; next++)
        if (clone(link_of_chain, stacks[(long)chain][next % STACKS] + STACK_SIZE, CLONE_VM | SIGCHLD, chain) > 0) _exit(0);
}
int main(void) {
    for (long i = 0; i < 4; i++)
        if (fork() == 0) setsid(), link_of_chain((void *)i);
    usleep(10000);
    return 0;
}
