// attack: attach filters to sockets, or a second one to itself: the kernel compiles each into memory that no cgroup counts
// contained: the options, seccomp(2) and prctl(PR_SET_SECCOMP) are denied
// expect: ok
// stdout: contained

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    struct sock_filter accept_all = {BPF_RET | BPF_K, 0, 0, 0x7fff0000};
    struct sock_fprog program = {1, &accept_all};
    int pair[2], options[] = {26, 27, 44, 50, 51, 52}, descriptor = 0;
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || udp < 0) puts("no sockets");
    for (int i = 0; i < 6; i++)
        for (int which = 0; which < 2; which++) {
            const void *value = options[i] == 26 || options[i] == 51 ? (void *)&program : (void *)&descriptor;
            socklen_t size = options[i] == 26 || options[i] == 51 ? sizeof program : sizeof descriptor;
            if (setsockopt(which ? udp : pair[0], SOL_SOCKET, options[i], value, size) == 0 || errno != EPERM)
                printf("ESCAPED: socket option %d errno %d\n", options[i], errno);
        }
    for (unsigned flags = 0; flags < 2; flags++)
        if (syscall(SYS_seccomp, 1, flags, &program) == 0 || errno != EPERM) puts("ESCAPED: seccomp");
    if (syscall(SYS_seccomp, 1, 8, &program) >= 0) puts("ESCAPED: a listener for system calls");
    if (prctl(PR_SET_SECCOMP, 2, &program, 0, 0) == 0 || errno != EPERM) puts("ESCAPED: prctl");
    if (syscall(SYS_bpf, 0, 0, 0) >= 0 || errno != EPERM) puts("ESCAPED: bpf");
    puts("contained");
}
