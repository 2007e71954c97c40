// attack: create a kernel notification queue, whose pages no cgroup counts
// contained: the filter makes the call fail as in a kernel without them
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
