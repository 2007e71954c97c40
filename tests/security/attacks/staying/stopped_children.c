// attack: leave stopped processes behind
// contained: SIGKILL ends a stopped process
// expect: ok

#include <signal.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 10; i++)
        if (fork() == 0) for (;;) raise(SIGSTOP);
    usleep(10000);
    return 0;
}
