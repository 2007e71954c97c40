// attack: become a subreaper, so that orphans go to a process of the program and not to the supervisor
// contained: a subreaper is a descendant like any other, and its orphans move up when it dies
// expect: ok

#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void) {
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (fork() == 0) {
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        setsid();
        if (fork() == 0) for (;;) pause();
        if (fork() == 0) { setsid(); for (;;) pause(); }
        for (;;) pause();
    }
    usleep(20000);
    return 0;
}
