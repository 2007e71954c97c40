// attack: a daemon in its own session that ignores every signal it can
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
