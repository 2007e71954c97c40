// attack: find a descriptor that leads to the supervisor, the zygote or the worker among the inherited ones
// contained: a child starts with its three streams, all of them pipes
// expect: ok
// stdout: contained

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
int main(void) {
    struct stat status;
    for (int fd = 0; fd < 65536; fd++) {
        if (fcntl(fd, F_GETFD) < 0) continue;
        fstat(fd, &status);
        if (fd > 2 || !S_ISFIFO(status.st_mode)) printf("ESCAPED: descriptor %d, mode %o\n", fd, status.st_mode);
    }
    puts("contained");
}
