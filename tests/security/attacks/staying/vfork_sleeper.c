// attack: stay in the uninterruptible wait of vfork while the child sleeps
// contained: that wait ends with SIGKILL
// expect: time_limit_exceeded
// limits: {"wall_time_s": 0.5}

#include <unistd.h>
int main(void) {
    if (vfork() == 0) for (;;) pause();
    return 0;
}
