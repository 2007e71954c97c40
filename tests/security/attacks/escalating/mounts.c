// attack: mount, remount, unmount, and pivot the root, with both old and new system calls
// contained: the filter refuses them all
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    if (mount("x", "/tmp", "tmpfs", 0, 0) == 0 || mount("x", "/tmp", "proc", 0, 0) == 0) puts("ESCAPED: mount");
    if (mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0) == 0) puts("ESCAPED: remount");
    if (umount2("/proc/kcore", MNT_DETACH) == 0 || umount2("/tmp", MNT_DETACH) == 0) puts("ESCAPED: unmount");
    if (chroot("/tmp") == 0 || syscall(SYS_pivot_root, "/tmp", "/tmp") == 0) puts("ESCAPED: root");
    int fs = syscall(430, "tmpfs", 0);
    if (fs >= 0 || syscall(428, -100, "/", 1) >= 0 || syscall(433, -100, "/", 0) >= 0) puts("ESCAPED: new mount calls");
    if (syscall(442, -100, "/", 0, 0, 0) == 0 || syscall(429, -100, "/", -100, "/tmp", 0) == 0) puts("ESCAPED: new mount calls");
    puts("contained");
}
