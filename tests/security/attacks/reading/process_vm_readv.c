// attack: read the zygote's memory in one call
// contained: the filter refuses the call
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>
int main(void) {
    char here[64];
    struct iovec local = {here, 64}, remote = {(void *)main, 64};
    for (int pid = 1; pid < 4096; pid++)
        if (process_vm_readv(pid, &local, 1, &remote, 1, 0) >= 0) printf("ESCAPED: read %d\n", pid);
    puts("contained");
}
