// attack: create namespaces with unshare, the first step of most kernel exploits
// contained: the filter refuses it
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
int main(void) {
    int flags[] = {CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, 0x80, CLONE_FILES, 0};
    for (int i = 0; i < 10; i++)
        if (unshare(flags[i]) == 0) printf("ESCAPED: unshare %x\n", flags[i]);
    puts("contained");
}
