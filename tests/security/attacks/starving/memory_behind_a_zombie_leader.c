// attack: hold the memory in a process whose main thread has ended, whose own statistics then read zero
// contained: the cgroup counts pages, not processes
// expect: memory_limit_exceeded

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *eat(void *nothing) {
    usleep(50000);
    volatile char *block = malloc(200 << 20);
    for (int at = 0; at < 200 << 20; at += 4096) block[at] = 1;
    for (;;) pause();
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, eat, 0);
    pthread_exit(0);
}
