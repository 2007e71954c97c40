# attack: read the supervisor's memory, environment, maps, descriptors and working directory
# contained: it runs as root, not under the program's uid
# expect: ok
# stdout: contained

import os

for name in ("mem", "environ", "maps", "smaps", "fd", "fdinfo", "cwd", "root", "exe", "auxv", "stack", "syscall", "io", "personality", "map_files", "ns/net"):
    path = f"/proc/1/{name}"
    try:
        if name in ("fd", "fdinfo", "map_files"):
            found = os.listdir(path)
        elif name in ("cwd", "root", "exe", "ns/net"):
            found = os.readlink(path)
        else:
            found = open(path, "rb").read(64)
        if found:
            print("ESCAPED:", path, found)
    except OSError:
        pass
print("contained")
