// attack: create namespaces with clone3, whose flags a filter cannot see
// contained: clone3 does not exist here
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = 17};
    long child = syscall(435, &arguments, sizeof arguments);
    if (child == 0) _exit(0);
    puts(child < 0 && errno == ENOSYS ? "contained" : "ESCAPED: clone3");
}
