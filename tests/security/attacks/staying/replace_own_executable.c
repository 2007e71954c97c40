// attack: overwrite the executable, which all tests of a program share
// contained: it belongs to root; the work directory contains only a link to it
// expect: ok
// runs: 2
// stdout: contained

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    if (open("main", O_RDWR) >= 0 || open("/proc/self/exe", O_RDWR) >= 0) puts("ESCAPED: opened");
    if (chmod("main", 0777) == 0 || truncate("main", 0) == 0) puts("ESCAPED: changed");
    if (open("/box/program/main", O_RDWR) >= 0 || unlink("/box/program/main") == 0) puts("ESCAPED: original");
    unlink("main");
    int file = open("main", O_CREAT | O_WRONLY, 0755);
    write(file, "#!/bin/sh\necho ESCAPED\n", 23);
    puts("contained");
}
