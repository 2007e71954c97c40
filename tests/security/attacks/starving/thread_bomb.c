// attack: threads without end
// contained: RLIMIT_NPROC counts threads
// expect: ok
// stdout: contained

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *stay(void *nothing) { for (;;) pause(); }
int main(void) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    pthread_t thread;
    int count = 0;
    while (count < 2000 && pthread_create(&thread, &small, stay, 0) == 0) count++;
    puts(count >= 64 ? "ESCAPED: threads" : "contained");
    fflush(stdout);
    _exit(0);
}
