// attack: sleep with every signal ignored
// contained: the wall limit and SIGKILL
// expect: time_limit_exceeded
// limits: {"wall_time_s": 0.5}

#include <signal.h>
#include <unistd.h>
int main(void) {
    for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, 0);
    for (;;) sleep(1000);
}
