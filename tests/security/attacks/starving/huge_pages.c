// attack: take the machine's huge pages, which no memory cgroup counts
// contained: the filter makes the call fail as if there were none
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void) {
    if (mmap(0, 1 << 21, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) != MAP_FAILED) puts("ESCAPED: mmap");
    int file = memfd_create("huge", MFD_HUGETLB);
    if (file >= 0) puts("ESCAPED: memfd");
    puts("contained");
}
