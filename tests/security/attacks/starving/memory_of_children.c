// attack: spread memory over processes, each of which stays below the limit
// contained: the limit applies to the box, not to a process
// expect: memory_limit_exceeded

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 16; i++)
        if (fork() == 0) {
            volatile char *block = malloc(10 << 20);
            for (int at = 0; at < 10 << 20; at += 4096) block[at] = 1;
            for (;;) pause();
        }
    while (wait(0) > 0) {}
}
