// attack: execute a program that is not in a file, and check whether it is still isolated
// contained: filter, uid and limits pass through exec
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
int main(int count, char **arguments) {
    if (count > 1) {
        puts(unshare(CLONE_NEWUSER) == 0 || getuid() == 0 ? "ESCAPED: from exec" : "contained");
        return 0;
    }
    int memory = memfd_create("x", 0), self = open("/proc/self/exe", O_RDONLY);
    sendfile(memory, self, 0, 1 << 24);
    char *next[] = {"x", "again", 0};
    fexecve(memory, next, 0);
    perror("contained");
    puts("contained");
}
