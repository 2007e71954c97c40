// attack: leave SysV shared memory, a semaphore set and a message queue, which no process owns
// contained: the filter refuses them
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
int main(void) {
    if (shmget(4711, 4096, IPC_CREAT | 0666) >= 0) puts("ESCAPED: shm");
    if (semget(4711, 1, IPC_CREAT | 0666) >= 0) puts("ESCAPED: sem");
    if (msgget(4711, IPC_CREAT | 0666) >= 0) puts("ESCAPED: msg");
    puts("contained");
}
