// attack: lock memory, so that it cannot be taken back
// contained: RLIMIT_MEMLOCK
// expect: ok
// stdout: contained

#include <stdio.h>
#include <sys/mman.h>
int main(void) {
    void *at = mmap(0, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    puts(mlock(at, 32 << 20) == 0 || mlockall(MCL_CURRENT | MCL_FUTURE) == 0 ? "ESCAPED: locked" : "contained");
}
