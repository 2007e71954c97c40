// attack: connect to the worker as a second supervisor
// contained: the socket's name is removed, its folder is not accessible, and nobody listens
// expect: ok
// stdout: contained

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
int main(void) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    strcpy(to.sun_path, "/run/sandbox/worker.sock");
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++)
        if (connect(socket(AF_UNIX, types[i], 0), (void *)&to, sizeof to) == 0) puts("ESCAPED to the worker");
    if (opendir("/run/sandbox")) puts("ESCAPED into the worker's folder");
    puts("contained");
}
