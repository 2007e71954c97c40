// attack: use the kernel's crypto through AF_ALG, a frequent source of kernel bugs
// contained: the filter refuses the family
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/socket.h>
int main(void) { puts(socket(38, SOCK_SEQPACKET, 0) >= 0 ? "ESCAPED: AF_ALG" : "contained"); }
