// attack: send the output pipe through sockets that hold each other and are never received, so that it outlives all processes
// contained: the kernel's collector is made to run, and the pipe ends
// expect: ok
// stdout: done

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static void give(int socket, int *descriptors, int count) {
    char byte = 'x', space[CMSG_SPACE(sizeof(int) * 4)] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    sendmsg(socket, &message, 0);
}
int main(void) {
    for (int i = 0; i < 50; i++) {
        int pair[2];
        socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
        int all[] = {pair[0], pair[1], 1, 2};
        give(pair[0], all, 4);
        give(pair[1], all, 4);
        close(pair[0]), close(pair[1]);
    }
    puts("done");
}
