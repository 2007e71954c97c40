// attack: have the kernel allocate group memberships, flow labels and keys for sockets, which no cgroup counts
// contained: the filter allows a list of options that does not include these
// expect: ok
// stdout: contained

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
static void try(int socket, int level, int option, const void *value, socklen_t size, const char *name) {
    if (setsockopt(socket, level, option, value, size) == 0 || errno != ENOPROTOOPT) printf("ESCAPED: %s: errno %d\n", name, errno);
}
int main(void) {
    int udp = socket(AF_INET, SOCK_DGRAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0);
    struct ip_mreq group = {{htonl(0xe0000001 + 76)}, {htonl(INADDR_LOOPBACK)}};
    char block[512];
    memset(block, 0, sizeof block);
    try(udp, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group, "membership");
    try(udp, IPPROTO_IP, 42, block, 136, "membership by MCAST_JOIN_GROUP");
    try(udp, IPPROTO_IP, 41, block, 16, "source filter");
    try(udp, IPPROTO_IP, 64, block, sizeof block, "iptables");
    try(tcp, IPPROTO_TCP, 31, "tls", 4, "upper-layer protocol");
    try(tcp, IPPROTO_TCP, 14, block, 216, "MD5 key");
    try(udp, IPPROTO_UDP, 100, block, 4, "encapsulation");
    if (six >= 0) {
        try(six, IPPROTO_IPV6, 20, block, 20, "IPv6 membership");
        try(six, IPPROTO_IPV6, 32, block, 32, "flow label");
        try(six, IPPROTO_IPV6, 54, block, 8, "hop options");
    }
    puts("contained");
}
