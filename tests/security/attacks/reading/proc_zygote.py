# attack: read every other process's memory, environment, maps and descriptors, the zygote's first
# contained: they belong to root
# expect: ok
# stdout: contained

import os

for pid in filter(str.isdigit, os.listdir("/proc")):
    if int(pid) in (os.getpid(), 1):
        continue
    for name in ("mem", "environ", "maps", "fd", "cwd", "auxv", "stack", "io"):
        try:
            path = f"/proc/{pid}/{name}"
            found = os.listdir(path) if name == "fd" else os.readlink(path) if name == "cwd" else open(path, "rb").read(16)
            if found:
                print("ESCAPED:", path, found)
        except OSError:
            pass
print("contained")
