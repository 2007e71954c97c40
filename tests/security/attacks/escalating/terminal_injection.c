// attack: type into a terminal with TIOCSTI
// contained: the filter refuses the request, and the box has no terminal
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
int main(void) {
    int terminal = posix_openpt(O_RDWR);
    setsid();
    ioctl(terminal, TIOCSCTTY, 1);
    for (int fd = 0; fd < 8; fd++)
        if (ioctl(fd, TIOCSTI, "x") == 0 || ioctl(fd, 0x100000000ul | TIOCSTI, "x") == 0) puts("ESCAPED: typed");
    if (open("/dev/console", O_RDWR) >= 0 || open("/dev/tty0", O_RDWR) >= 0) puts("ESCAPED: console");
    puts("contained");
}
