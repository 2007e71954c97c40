// attack: use up the machine's pseudo-terminals, whose buffers no cgroup counts
// contained: no program can open the device that creates them
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    if (posix_openpt(O_RDWR | O_NOCTTY) >= 0) puts("ESCAPED: a terminal");
    if (open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0 || open("/dev/pts/ptmx", O_RDWR | O_NOCTTY) >= 0) puts("ESCAPED: its device");
    puts("contained");
}
