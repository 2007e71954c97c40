// attack: take the CPU by real-time or deadline scheduling, or a negative niceness
// contained: no CAP_SYS_NICE
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
int main(void) {
    struct sched_param high = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &high) == 0 || sched_setscheduler(0, SCHED_RR, &high) == 0) puts("ESCAPED: real time");
    if (setpriority(PRIO_PROCESS, 0, -5) == 0) puts("ESCAPED: niceness");
    puts("contained");
}
