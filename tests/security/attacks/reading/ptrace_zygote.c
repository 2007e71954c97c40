// attack: attach to the zygote and the supervisor with ptrace
// contained: the filter refuses ptrace altogether
// expect: ok
// stdout: contained

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
int main(void) {
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(proc));) {
        int pid = atoi(entry->d_name);
        if (pid > 0 && (ptrace(PTRACE_ATTACH, pid, 0, 0) == 0 || ptrace(0x4206, pid, 0, 0) == 0)) puts("ESCAPED: attached");
    }
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) == 0) puts("ESCAPED: traced");
    puts("contained");
}
