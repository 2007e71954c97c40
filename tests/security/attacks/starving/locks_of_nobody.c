// attack: hold byte locks on a file that belong to no process, so that they cannot be counted
// contained: the filter denies locks of an open file description
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
int main(void) {
    int file = open("/tmp/locked", O_RDWR | O_CREAT, 0600);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    if (fcntl(file, F_OFD_SETLK, &lock) == 0 || errno != EINVAL) puts("ESCAPED: F_OFD_SETLK");
    if (fcntl(file, F_OFD_SETLKW, &lock) == 0 || errno != EINVAL) puts("ESCAPED: F_OFD_SETLKW");
    if (fcntl(file, F_SETLK, &lock) != 0) puts("an ordinary lock is refused");
    puts("contained");
}
