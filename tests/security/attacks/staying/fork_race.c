// attack: processes that fork and exit faster than they can be listed
// contained: a dead parent stays listed until the supervisor reaps it, so the supervisor continues until the last one is dead
// expect: ok
// limits: {"memory_mb": 512}

#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 20; i++)
        if (fork() == 0) {
            setsid();
            for (;;)
                if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) > 0) _exit(0);
        }
    usleep(20000);
    return 0;
}
