// attack: do system calls through io_uring, past any filter
// contained: the filter refuses its set-up
// expect: ok
// stdout: contained

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    char parameters[256] = {0};
    if (syscall(425, 8, parameters) >= 0 || errno != EPERM) puts("ESCAPED: io_uring");
    if (syscall(426, 0, 1, 0, 0, 0, 0) >= 0 || syscall(427, 0, 0, 0, 0) >= 0) puts("ESCAPED: io_uring");
    puts("contained");
}
