# attack: look for secrets and paths of the host in other processes' command lines
# contained: what a box's processes are started with tells nothing of the host
# expect: ok
# stdout: contained

import os

for pid in filter(str.isdigit, os.listdir("/proc")):
    words = open(f"/proc/{pid}/cmdline").read().lower()
    if any(word in words for word in ("redis", "key", "token", "secret", "password", "/var/lib", "/home")):
        print("ESCAPED:", words)
print("contained")
