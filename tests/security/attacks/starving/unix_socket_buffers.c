// attack: fill the buffers of unix sockets
// contained: they count toward the box's memory
// expect: ok, memory_limit_exceeded

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
static char block[32768];
int main(void) {
    for (int process = 0; process < 8; process++)
        if (fork() == 0) {
            for (int number = 0; number < 250; number++) {
                int pair[2];
                if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0) break;
                while (send(pair[0], block, sizeof block, MSG_DONTWAIT) > 0) {}
            }
            sleep(1);
            _exit(0);
        }
    while (wait(0) > 0) {}
}
