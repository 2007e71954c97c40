// attack: CLONE_PARENT from a thread and together with CLONE_VM
// contained: the filter refuses the flag whatever comes with it
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int child(void *nothing) { for (;;) pause(); }
int main(void) {
    char *stack = malloc(65536);
    int flags[] = {CLONE_PARENT, CLONE_PARENT | SIGCHLD, CLONE_PARENT | CLONE_VM, CLONE_PARENT | CLONE_FILES | SIGKILL};
    for (int i = 0; i < 4; i++)
        if (clone(child, stack + 65536, flags[i], 0) > 0) puts("ESCAPED");
    puts("contained");
}
