// attack: wait for more descriptors at a time than one may have open: the list counts for nobody
// contained: RLIMIT_NOFILE bounds the list, too
// expect: ok
// stdout: contained

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
static struct pollfd waited[8192];
int main(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    memset(waited, 0, sizeof waited);
    puts(poll(waited, 8192, 0) >= 0 ? "ESCAPED" : "contained");
}
