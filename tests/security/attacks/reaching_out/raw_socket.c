// attack: open a raw IP socket to forge packets
// contained: no CAP_NET_RAW
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    int protocols[] = {1, 6, 17, 255};
    for (int i = 0; i < 4; i++) {
        if (socket(AF_INET, SOCK_RAW, protocols[i]) >= 0) puts("ESCAPED: raw IPv4");
        if (socket(AF_INET6, SOCK_RAW, protocols[i]) >= 0) puts("ESCAPED: raw IPv6");
    }
    puts("contained");
}
