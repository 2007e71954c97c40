// attack: slow the supervisor and the zygote down by affinity, niceness, scheduling or limits
// contained: they have another uid
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    struct sched_param none = {0};
    struct rlimit zero = {0, 0};
    for (int pid = 1; pid < 500; pid++) {
        if (pid == getpid()) continue;
        if (sched_setaffinity(pid, sizeof one, &one) == 0) puts("ESCAPED: affinity");
        if (setpriority(PRIO_PROCESS, pid, 19) == 0) puts("ESCAPED: niceness");
        if (sched_setscheduler(pid, SCHED_IDLE, &none) == 0) puts("ESCAPED: scheduling");
        if (prlimit(pid, RLIMIT_NOFILE, &zero, 0) == 0) puts("ESCAPED: limits");
        if (syscall(SYS_ioprio_set, 1, pid, 3 << 13) == 0) puts("ESCAPED: I/O priority");
    }
    puts("contained");
}
