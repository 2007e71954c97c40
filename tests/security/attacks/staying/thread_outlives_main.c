// attack: end only the main thread, so that the process looks like a zombie while another thread continues
// contained: a process ends with its last thread, and the wall limit ends that
// expect: time_limit_exceeded
// limits: {"wall_time_s": 0.5}

#include <pthread.h>
#include <unistd.h>
static void *stay(void *nothing) { for (;;) pause(); }
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, stay, 0);
    pthread_exit(0);
}
