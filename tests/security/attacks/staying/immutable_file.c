// attack: make files and directories immutable or append-only, so that not even root removes them
// contained: the attributes need a capability that the program does not have
// expect: ok

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
int main(void) {
    const char *names[] = {"/tmp/i", "/dev/shm/i", "i"};
    for (int i = 0; i < 3; i++) {
        mkdir(names[i], 0700);
        int flags = FS_IMMUTABLE_FL, file = open(names[i], O_RDONLY);
        if (ioctl(file, FS_IOC_SETFLAGS, &flags) == 0) puts("ESCAPED: immutable");
        flags = FS_APPEND_FL;
        if (ioctl(file, FS_IOC_SETFLAGS, &flags) == 0) puts("ESCAPED: append-only");
    }
}
