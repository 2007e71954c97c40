// attack: take the name of the supervisor or of a kernel thread
// contained: processes are found by descent and not by name
// expect: ok

#include <sys/prctl.h>
#include <unistd.h>
int main(void) {
    const char *names[] = {"python3", "kworker/0:0", "supervisor", ") Z 1 (", "\n\n1 (x"};
    for (int i = 0; i < 5; i++)
        if (fork() == 0) {
            prctl(PR_SET_NAME, names[i], 0, 0, 0);
            for (;;) pause();
        }
    usleep(10000);
    return 0;
}
