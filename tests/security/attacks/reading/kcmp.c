// attack: learn about the zygote's kernel objects with kcmp
// contained: the filter refuses it
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) { puts(syscall(SYS_kcmp, getpid(), 1, 2, 0, 0) >= 0 ? "ESCAPED: compared" : "contained"); }
