// attack: find or raise any capability
// contained: the uid change removed all of them
// expect: ok
// stdout: contained

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "Cap", 3) && strncmp(line, "CapBnd", 6) && !strstr(line, "0000000000000000")) printf("ESCAPED: %s", line);
    for (int capability = 0; capability < 41; capability++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0) puts("ESCAPED: ambient");
    unsigned header[2] = {0x20080522, 0}, sets[6] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    if (syscall(SYS_capset, header, sets) == 0) puts("ESCAPED: capset");
    puts("contained");
}
