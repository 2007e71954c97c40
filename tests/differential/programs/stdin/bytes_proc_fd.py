# Standard input is a pipe, and /proc/self/fd/0 reads it.
import os
print(os.readlink("/proc/self/fd/0").startswith("pipe:"))
print(open("/proc/self/fd/0", "rb").read())
