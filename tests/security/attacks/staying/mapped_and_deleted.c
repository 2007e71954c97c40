// attack: keep deleted files alive by a mapping in a daemon
// contained: the daemon is killed, which frees the memory
// expect: ok

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    int file = open("/tmp/mapped", O_CREAT | O_RDWR, 0600);
    ftruncate(file, 8 << 20);
    char *at = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    for (int i = 0; i < 8 << 20; i += 4096) at[i] = 1;
    unlink("/tmp/mapped");
    if (fork() == 0) for (;;) pause();
    return 0;
}
