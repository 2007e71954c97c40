// attack: run at idle priority next to a spinning process, so that wall time counts as waiting for a CPU
// contained: the spinning process counts toward the program's CPU time, and the excluded wait has an upper bound
// expect: time_limit_exceeded
// limits: {"cpu_time_s": 0.5, "wall_time_s": 1}

#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>
int main(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    if (fork() == 0) for (;;) {}
    struct sched_param none = {0};
    sched_setscheduler(0, SCHED_IDLE, &none);
    for (;;) {}
}
