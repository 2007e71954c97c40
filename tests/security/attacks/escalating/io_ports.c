// attack: I/O ports and segment descriptors
// contained: the filter refuses them
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
#ifdef __x86_64__
    char entry[16] = {0};
    if (syscall(SYS_iopl, 3) == 0 || syscall(SYS_ioperm, 0x80, 1, 1) == 0 || syscall(SYS_modify_ldt, 1, entry, 16) == 0) puts("ESCAPED");
#endif
    puts("contained");
}
