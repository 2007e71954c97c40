// attack: reconfigure the network, listen to audit or uevents through netlink
// contained: the filter refuses the family
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    for (int protocol = 0; protocol < 23; protocol++)
        if (socket(16, SOCK_RAW, protocol) >= 0) printf("ESCAPED: netlink protocol %d\n", protocol);
    puts("contained");
}
