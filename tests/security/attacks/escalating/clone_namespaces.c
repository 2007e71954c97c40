// attack: create namespaces with the flags of clone
// contained: the filter checks the flags
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    long flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};
    for (int i = 0; i < 7; i++)
        for (int with_user = 0; with_user < 2; with_user++) {
            long child = syscall(SYS_clone, flags[i] | (with_user ? CLONE_NEWUSER : 0) | SIGCHLD, 0, 0, 0, 0);
            if (child == 0) _exit(0);
            if (child > 0) printf("ESCAPED: clone %lx\n", flags[i]);
        }
    puts("contained");
}
