// attack: create POSIX timers until the kernel's memory is full
// contained: they count toward the box's memory or the user's pending signals; if creating them takes too long, the time limit applies
// expect: ok, memory_limit_exceeded, time_limit_exceeded

#include <signal.h>
#include <time.h>
int main(void) {
    timer_t timer;
    for (int i = 0; i < 100000 && timer_create(CLOCK_MONOTONIC, 0, &timer) == 0; i++) {}
    return 0;
}
