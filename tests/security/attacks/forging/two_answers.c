// attack: have two processes end with different codes, hoping that the last one counts
// contained: the status is that of the child the zygote forked
// expect: runtime_error

#include <unistd.h>
int main(void) {
    if (fork() == 0) {
        setsid();
        usleep(30000);
        _exit(0);
    }
    _exit(7);
}
