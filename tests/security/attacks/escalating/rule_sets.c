// attack: create Landlock rule sets, and attributes of other security modules
// contained: the filter denies them
// expect: ok
// stdout: contained

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    unsigned long long rules[2] = {1, 0};
    if (syscall(444, rules, sizeof rules[0], 0) >= 0 || errno != EPERM) puts("ESCAPED: landlock_create_ruleset");
    if (syscall(444, 0, 0, 1) >= 0 || errno != EPERM) puts("ESCAPED: the version of Landlock");
    if (syscall(446, -1, 0) >= 0 || errno != EPERM) puts("ESCAPED: landlock_restrict_self");
    if (syscall(460, 100, rules, sizeof rules, 0) >= 0 || errno != EPERM) puts("ESCAPED: lsm_set_self_attr");
    puts("contained");
}
