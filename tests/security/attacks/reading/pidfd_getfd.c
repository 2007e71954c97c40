// attack: take a descriptor out of the zygote
// contained: the filter refuses pidfd_getfd
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    for (int pid = 1; pid < 64; pid++) {
        int process = syscall(434, pid, 0);
        for (int fd = 0; process >= 0 && fd < 16; fd++)
            if (syscall(438, process, fd, 0) >= 0) puts("ESCAPED: took a descriptor");
    }
    puts("contained");
}
