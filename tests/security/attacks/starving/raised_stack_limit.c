// attack: raise the stack limit and fill the stack
// contained: it is memory like any other
// expect: memory_limit_exceeded, runtime_error

#include <string.h>
#include <sys/resource.h>
static volatile char sink;
static void deeper(int left) {
    char frame[65536];
    memset(frame, left, sizeof frame);
    sink = frame[left];
    if (left) deeper(left - 1);
    sink = frame[0];
}
int main(void) {
    struct rlimit endless = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_STACK, &endless) != 0) return 0;
    deeper(32000);
    return 0;
}
