// attack: try every socket family there is, with every type
// contained: the filter allows only AF_UNIX, AF_INET and AF_INET6
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    for (int family = 0; family < 256; family++)
        for (int type = 1; type < 11; type++) {
            int s = socket(family, type, 0);
            if (s < 0) continue;
            if (family != AF_UNIX && family != AF_INET && family != AF_INET6) printf("ESCAPED: family %d\n", family);
            close(s);
        }
    puts("contained");
}
