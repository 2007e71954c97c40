// attack: open a packet socket, which sees and sends whole frames
// contained: the filter refuses the family
// expect: ok
// stdout: contained

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
    int a = socket(17, SOCK_RAW, 0x0300), b = socket(17, SOCK_DGRAM, 0);
    puts(a >= 0 || b >= 0 || errno != EAFNOSUPPORT ? "ESCAPED: packet socket" : "contained");
}
