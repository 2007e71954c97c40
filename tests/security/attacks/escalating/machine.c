// attack: reboot, set the clock or the host's name
// contained: the filter refuses it
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/reboot.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    struct timespec epoch = {0};
    if (reboot(RB_DISABLE_CAD) == 0) puts("ESCAPED: reboot");
    if (sethostname("x", 1) == 0 || setdomainname("x", 1) == 0) puts("ESCAPED: name");
    if (clock_settime(CLOCK_REALTIME, &epoch) == 0) puts("ESCAPED: clock");
    puts("contained");
}
