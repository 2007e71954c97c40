// attack: burn CPU time in children that are killed before it is measured
// contained: the cgroup's clock also counts ended processes
// expect: time_limit_exceeded
// limits: {"cpu_time_s": 0.4, "wall_time_s": 10}

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 10; i++) {
        int child = fork();
        if (child == 0) for (;;) {}
        clockid_t clock;
        struct timespec used = {0};
        while (clock_getcpuclockid(child, &clock) == 0 && clock_gettime(clock, &used) == 0 && used.tv_nsec < 80000000) usleep(5000);
        kill(child, SIGKILL);
        waitpid(child, 0, 0);
    }
    return 0;
}
