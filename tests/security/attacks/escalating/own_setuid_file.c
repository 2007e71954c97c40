// attack: make an own file setuid and give it to root
// contained: giving files away needs a capability, and the file systems are nosuid
// expect: ok
// stdout: contained

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    const char *names[] = {"/tmp/s", "/dev/shm/s", "s"};
    for (int i = 0; i < 3; i++) {
        close(open(names[i], O_CREAT | O_WRONLY, 0755));
        chmod(names[i], 04755);
        if (chown(names[i], 0, 0) == 0) puts("ESCAPED: given to root");
    }
    puts("contained");
}
