// attack: children that clear or change their parent-death signal
// contained: the cleanup does not depend on it
// expect: ok

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>
int main(void) {
    int signals[] = {0, SIGCONT, SIGCHLD, SIGURG};
    for (int i = 0; i < 4; i++) {
        prctl(PR_SET_PDEATHSIG, signals[i], 0, 0, 0);
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
            for (;;) pause();
        }
    }
    return 0;
}
