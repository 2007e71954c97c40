// attack: compute in many threads, to use many CPUs at once
// contained: the CPU time of all threads is added up
// expect: time_limit_exceeded
// limits: {"cpu_time_s": 0.3}

#include <pthread.h>
static volatile long n;
static void *spin(void *nothing) { for (;;) n++; }
int main(void) {
    pthread_t thread;
    for (int i = 0; i < 8; i++) pthread_create(&thread, 0, spin, 0);
    spin(0);
}
