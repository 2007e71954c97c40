// attack: clone with CLONE_PARENT, so that the new process is a child of the zygote and not a descendant of the program
// contained: the filter refuses the flag
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        close(0), close(1), close(2);
        for (;;) pause();
    }
    puts(child > 0 ? "ESCAPED: the zygote's child" : "contained");
}
