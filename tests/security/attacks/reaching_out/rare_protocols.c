// attack: make the kernel load SCTP, DCCP, UDP-Lite or MPTCP by asking for their sockets
// contained: the filter refuses every pair of type and protocol except those of TCP, UDP and ICMP
// expect: ok
// stdout: contained

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    int protocols[] = {33, 115, 132, 136, 262, 2, 4, 41, 47, 50, 108};
    for (int i = 0; i < 11; i++)
        for (int type = 1; type < 7; type++)
            if (socket(AF_INET, type, protocols[i]) >= 0 || (errno != EPROTONOSUPPORT && errno != ESOCKTNOSUPPORT))
                printf("ESCAPED: protocol %d type %d errno %d\n", protocols[i], type, errno);
    for (int type = 3; type < 11; type++)
        if (socket(AF_INET, type, 0) >= 0 || errno != ESOCKTNOSUPPORT) printf("ESCAPED: type %d errno %d\n", type, errno);
    if (socket(AF_INET, SOCK_STREAM, 17) >= 0 || errno != EPROTONOSUPPORT) puts("ESCAPED: a stream by UDP");
    puts("contained");
}
