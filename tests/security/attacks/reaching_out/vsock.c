// attack: reach the hypervisor's host over AF_VSOCK, which no network namespace isolates
// contained: the filter refuses the family
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    puts(socket(40, SOCK_STREAM, 0) >= 0 || socket(40, SOCK_DGRAM, 0) >= 0 ? "ESCAPED: vsock" : "contained");
}
