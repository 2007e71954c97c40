// attack: ignore SIGCHLD and leave a crowd of sleeping children behind
// contained: the supervisor adopts, kills and reaps them
// expect: ok

#include <signal.h>
#include <unistd.h>
int main(void) {
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 25; i++)
        if (fork() == 0) for (;;) pause();
    return 0;
}
