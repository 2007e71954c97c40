// attack: twenty processes at once fill the memory with a low OOM score
// contained: the worker sees why the box was killed and attributes it to the program
// expect: memory_limit_exceeded
// breaks: the kernel may choose the supervisor

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static char block[65536] = {1};
int main(void) {
    write(open("/proc/self/oom_score_adj", O_WRONLY), "0", 1);
    for (int process = 0; process < 20; process++)
        if (fork() == 0) {
            setsid();
            char name[64];
            for (int number = 0; number < 20; number++) {
                sprintf(name, "/dev/shm/%d-%d", process, number);
                int file = open(name, O_CREAT | O_WRONLY, 0600);
                for (int i = 0; i < 200; i++)
                    if (write(file, block, 65536) < 0) break;
            }
            for (;;) pause();
        }
    pause();
}
