// attack: open a TCP connection over IPv6
// contained: no route out of the box's network namespace
// expect: ok
// stdout: contained

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    inet_pton(AF_INET6, "2606:4700:4700::1111", &to.sin6_addr);
    int s = socket(AF_INET6, SOCK_STREAM, 0);
    if (s >= 0 && connect(s, (void *)&to, sizeof to) == 0) puts("ESCAPED over IPv6");
    else perror("contained"), puts("contained");
}
