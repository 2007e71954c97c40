// attack: fill /dev/shm with empty files, whose inodes are kernel memory
// contained: it counts toward the box's memory
// expect: ok, memory_limit_exceeded, time_limit_exceeded
// limits: {"cpu_time_s": 2, "wall_time_s": 4}

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    char name[64];
    for (int number = 0; number < 200000; number++) {
        sprintf(name, "/dev/shm/%d", number);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        if (file < 0) break;
        close(file);
    }
}
