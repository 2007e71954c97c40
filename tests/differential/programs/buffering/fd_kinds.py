# The descriptors 0, 1 and 2 have the kind, flags and inheritance of a plain start.
import fcntl
import os
import stat
for fd in (0, 1, 2):
    print(fd, stat.S_ISFIFO(os.fstat(fd).st_mode), os.isatty(fd), os.get_blocking(fd), os.get_inheritable(fd))
    print(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE, fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND)
