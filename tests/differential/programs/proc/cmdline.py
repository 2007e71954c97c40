# The kernel's command line is that of python3 with the program's arguments.
import sys
parts = open("/proc/self/cmdline", "rb").read().split(b"\0")
print([p.decode() for p in parts[1:]], parts[0].decode() == sys.orig_argv[0])
