// attack: leave watches and events behind
// contained: they are descriptors, which close when the process ends
// expect: ok

#include <sys/inotify.h>
#include <unistd.h>
int main(void) {
    int watch = inotify_init1(0);
    inotify_add_watch(watch, "/tmp", IN_ALL_EVENTS);
    inotify_add_watch(watch, "/dev/shm", IN_ALL_EVENTS);
    if (fork() == 0) for (;;) pause();
    return 0;
}
