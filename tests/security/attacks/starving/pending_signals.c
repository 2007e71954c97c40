// attack: queue signals to the own process that are never delivered
// contained: RLIMIT_SIGPENDING, for each run's own uid
// expect: ok
// stdout: contained

#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &blocked, 0);
    int queued = 0;
    while (queued < 2000 && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0) queued++;
    puts(queued > 1024 ? "ESCAPED" : "contained");
}
