// attack: burn CPU time in children that are killed before anybody looks
// contained: the cgroup's clock counts the dead, too
// expect: time_limit_exceeded
// limits: {"cpu_time_s": 0.4, "wall_time_s": 3}

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 10; i++) {
        int child = fork();
        if (child == 0) for (;;) {}
        usleep(100000);
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
    }
    return 0;
}
