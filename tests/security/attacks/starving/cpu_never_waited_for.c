// attack: burn CPU time in children that are never waited for; with SIGCHLD ignored, their time is lost
// contained: the cgroup's clock counts them
// expect: time_limit_exceeded
// limits: {"cpu_time_s": 0.4, "wall_time_s": 10}

#include <signal.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 8; i++) {
        int child = fork();
        if (child == 0) {
            while (clock() < CLOCKS_PER_SEC / 10) {}
            _exit(0);
        }
        while (kill(child, 0) == 0) usleep(5000);
    }
    return 0;
}
