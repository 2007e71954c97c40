// attack: have the kernel write out every file system of the machine
// contained: the filter answers 0 and the kernel does nothing
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>
int main(void) {
    sync();
    if (syncfs(-1) != 0) puts("ESCAPED: syncfs reached the kernel");
    puts("contained");
}
