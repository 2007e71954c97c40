# attack: look for secrets and paths of the host in other processes' command lines
# contained: the command lines of a box's processes reveal nothing about the host
# expect: ok
# stdout: contained

import os

for pid in filter(str.isdigit, os.listdir("/proc")):
    words = open(f"/proc/{pid}/cmdline").read().lower()
    if any(word in words for word in ("redis", "key", "token", "secret", "password", "/var/lib", "/home")):
        print("ESCAPED:", words)
print("contained")
