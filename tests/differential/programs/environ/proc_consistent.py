# The kernel's copy of the environment equals os.environ.
import os
start = dict(i.split(b"=", 1) for i in open("/proc/self/environ", "rb").read().split(b"\0") if i)
print(start == dict(os.environb))
