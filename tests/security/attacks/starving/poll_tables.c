// attack: poll more descriptors than may be open: no cgroup counts the list
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
