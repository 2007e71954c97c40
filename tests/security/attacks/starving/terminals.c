// attack: use up the machine's pseudo terminals
// contained: the descriptors end first, and the terminals go with the process
// expect: ok

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
int main(void) {
    while (posix_openpt(O_RDWR | O_NOCTTY) >= 0) {}
    return 0;
}
