// attack: open files of the host's file system by a forged handle, the classical container break-out
// contained: no CAP_DAC_READ_SEARCH, and the filter refuses both calls
// expect: ok
// stdout: contained

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    struct file_handle *handle = calloc(1, sizeof *handle + 128);
    int mount;
    handle->handle_bytes = 128;
    if (name_to_handle_at(AT_FDCWD, "/etc/hostname", handle, &mount, 0) == 0) puts("ESCAPED: has a handle");
    handle->handle_bytes = 8;
    handle->handle_type = 1;
    *(int *)handle->f_handle = 2;
    if (open_by_handle_at(open("/etc/hostname", O_RDONLY), handle, O_RDONLY) >= 0) puts("ESCAPED: opened inode 2");
    puts("contained");
}
