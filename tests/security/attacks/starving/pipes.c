// attack: fill as many pipes as there are descriptors, whose buffers are the kernel's memory
// contained: they count toward the box's memory, and large ones toward the user's limit
// expect: ok, memory_limit_exceeded

#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
static char block[65536];
int main(void) {
    for (int process = 0; process < 8; process++)
        if (fork() == 0) {
            for (int number = 0; number < 250; number++) {
                int ends[2];
                if (pipe2(ends, O_NONBLOCK) < 0) break;
                fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
                while (write(ends[1], block, sizeof block) > 0) {}
            }
            sleep(1);
            _exit(0);
        }
    while (wait(0) > 0) {}
}
