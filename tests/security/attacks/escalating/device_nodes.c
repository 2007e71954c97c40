// attack: make device nodes for the host's disk or memory
// contained: no CAP_MKNOD, and the file systems are nodev
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
int main(void) {
    const char *names[] = {"/tmp/d", "/dev/shm/d", "d", "/dev/d"};
    for (int i = 0; i < 4; i++)
        if (mknod(names[i], S_IFBLK | 0666, makedev(254, 0)) == 0 || mknod(names[i], S_IFCHR | 0666, makedev(1, 1)) == 0)
            printf("ESCAPED: %s\n", names[i]);
    puts("contained");
}
