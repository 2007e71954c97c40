// attack: turn the system-call filter or no_new_privs off
// contained: both are permanent
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    if (prctl(PR_SET_SECCOMP, 0, 0) == 0 || syscall(SYS_seccomp, 0, 0, 0) == 0) puts("ESCAPED: filter");
    if (prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) puts("ESCAPED: no_new_privs");
    if (prctl(PR_GET_SECCOMP) != 2) puts("ESCAPED: no filter");
    puts("contained");
}
