// attack: create POSIX timers until the kernel's memory is full
// contained: they count towards the box's memory or the user's pending signals; where making them takes long, its time ends
// expect: ok, memory_limit_exceeded, time_limit_exceeded

#include <signal.h>
#include <time.h>
int main(void) {
    timer_t timer;
    for (int i = 0; i < 100000 && timer_create(CLOCK_MONOTONIC, 0, &timer) == 0; i++) {}
    return 0;
}
