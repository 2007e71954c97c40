// attack: read the kernel's log, full of addresses
// contained: the filter refuses syslog, and the log's files are missing or masked
// expect: ok
// stdout: contained

#include <fcntl.h>
#include <stdio.h>
#include <sys/klog.h>
#include <unistd.h>
int main(void) {
    char text[4096];
    if (klogctl(3, text, sizeof text) > 0 || klogctl(10, 0, 0) > 0) puts("ESCAPED: syslog");
    const char *names[] = {"/dev/kmsg", "/proc/kmsg", "/var/log/kern.log", "/var/log/syslog"};
    for (int i = 0; i < 4; i++) {
        int file = open(names[i], O_RDONLY | O_NONBLOCK);
        if (file >= 0 && read(file, text, sizeof text) > 0) printf("ESCAPED: %s\n", names[i]);
    }
    puts("contained");
}
