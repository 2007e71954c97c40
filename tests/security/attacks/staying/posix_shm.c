// attack: leave POSIX shared memory and a named semaphore
// contained: both live in /dev/shm, which is emptied
// expect: ok

#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    int memory = shm_open("/left", O_CREAT | O_RDWR, 0666);
    ftruncate(memory, 1 << 20);
    char *at = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    at[0] = 1;
    sem_open("/left", O_CREAT, 0666, 1);
    return 0;
}
