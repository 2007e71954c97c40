// attack: have two processes end with different codes, hoping that the last one counts
// contained: only the status of the child that the zygote forked counts
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
