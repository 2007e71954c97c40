// attack: leave data in the user's keyring
// contained: the filter refuses the calls
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    for (int ring = -1; ring >= -8; ring--)
        if (syscall(SYS_add_key, "user", "left", "data", 4, ring) >= 0) puts("ESCAPED: key added");
    if (syscall(SYS_keyctl, 0, -3, 1) >= 0 || syscall(SYS_request_key, "user", "left", 0, -3) >= 0) puts("ESCAPED: keyring");
    puts("contained");
}
