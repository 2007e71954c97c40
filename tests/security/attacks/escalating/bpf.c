// attack: load BPF maps or programs
// contained: the filter refuses bpf
// expect: ok
// stdout: contained

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    char attributes[128];
    memset(attributes, 0, sizeof attributes);
    for (int command = 0; command < 40; command++)
        if (syscall(SYS_bpf, command, attributes, sizeof attributes) >= 0 || errno != EPERM) printf("ESCAPED: bpf %d errno %d\n", command, errno);
    puts("contained");
}
