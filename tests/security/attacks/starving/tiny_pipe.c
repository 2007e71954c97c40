// attack: shrink the output pipe to one page
// contained: slower for the program, nothing else
// expect: ok

#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>
static char block[32768];
int main(void) {
    fcntl(1, F_SETPIPE_SZ, 4096);
    write(1, block, sizeof block);
    return 0;
}
