// attack: make a queue of the kernel's notifications, whose pages count for nobody
// contained: the filter answers as a kernel without them does
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    int ends[2];
    if (pipe2(ends, 0x80) == 0 || errno != ENOPKG) printf("ESCAPED: errno %d\n", errno);
    if (pipe2(ends, 0) != 0) puts("an ordinary pipe is refused");
    puts("contained");
}
