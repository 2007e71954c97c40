// attack: system calls newer than the filter
// contained: every number above the newest known one does not exist
// expect: ok
// stdout: contained

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    for (long number = 471; number < 1024; number++)
        if (syscall(number, 0, 0, 0, 0, 0, 0) >= 0 || errno != ENOSYS) printf("ESCAPED: call %ld\n", number);
    puts("contained");
}
