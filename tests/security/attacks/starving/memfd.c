// attack: fill the memory through unnamed memory files (memfd)
// contained: they count toward the box's memory
// expect: memory_limit_exceeded

#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>
static char block[65536] = {1};
int main(void) {
    for (int number = 0; number < 100; number++) {
        int file = memfd_create("x", 0);
        for (int i = 0; i < 100; i++) write(file, block, sizeof block);
    }
    return 0;
}
