// attack: a daemon in a session of its own, deaf to every signal that can be ignored
// contained: SIGKILL cannot be ignored
// expect: ok

#include <signal.h>
#include <unistd.h>
int main(void) {
    if (fork()) return 0;
    setsid();
    for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
    close(0), close(1), close(2);
    for (;;) pause();
}
