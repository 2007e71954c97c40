// attack: kill and stop all processes at once, including groups
// contained: the kernel skips processes that the program may not signal
// expect: ok, runtime_error

#include <signal.h>
#include <unistd.h>
int main(void) {
    kill(-1, SIGSTOP);
    kill(-1, SIGKILL);
    for (int group = 1; group < 200; group++)
        if (group != getpgrp()) kill(-group, SIGKILL);
    return 0;
}
