// attack: perf, userfaultfd, memfd_secret, kexec, modules, quotas, swap: interfaces that exploits begin with
// contained: the filter refuses them
// expect: ok
// stdout: contained

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    struct { const char *name; long number; } calls[] = {
        {"perf_event_open", SYS_perf_event_open}, {"userfaultfd", SYS_userfaultfd}, {"memfd_secret", 447},
        {"kexec_load", SYS_kexec_load}, {"kexec_file_load", 320}, {"init_module", SYS_init_module}, {"finit_module", SYS_finit_module},
        {"delete_module", SYS_delete_module}, {"quotactl", SYS_quotactl}, {"swapon", SYS_swapon}, {"acct", SYS_acct},
        {"fanotify_init", SYS_fanotify_init}, {"lookup_dcookie", SYS_lookup_dcookie}, {"personality", SYS_personality},
        {"vmsplice", SYS_vmsplice}, {"migrate_pages", SYS_migrate_pages}, {"uselib", 134}, {"sysfs", 139}, {"listns", 470},
        {"statmount", 457}, {"listmount", 458}, {"open_tree_attr", 467}};
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)
        if (syscall(calls[i].number, 0, 0, 0, 0, 0, 0) >= 0 || (errno != EPERM && errno != ENOSYS))
            printf("ESCAPED: %s errno %d\n", calls[i].name, errno);
    puts("contained");
}
