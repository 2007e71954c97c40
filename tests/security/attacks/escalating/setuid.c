// attack: become root by asking
// contained: root is given up permanently, including the saved uid
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    gid_t groups[1] = {0};
    if (setuid(0) == 0 || seteuid(0) == 0 || setresuid(0, 0, 0) == 0 || setreuid(0, 0) == 0) puts("ESCAPED: uid 0");
    if (setgid(0) == 0 || setegid(0) == 0 || setgroups(1, groups) == 0 || getgroups(0, groups) != 0) puts("ESCAPED: groups");
    puts("contained");
}
