// attack: fill the memory with files, which belong to no process
// contained: they count toward the box's memory
// expect: memory_limit_exceeded

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static char block[4096] = {1};
int main(void) {
    char name[64];
    for (int number = 0; number < 20; number++) {
        sprintf(name, "/dev/shm/%d", number);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        for (int i = 0; i < 2000; i++)
            if (write(file, block, 4096) < 0) break;
    }
}
