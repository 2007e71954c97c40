# attack: leave a tree of symlinks whose removal, if they were followed, would remove the system
# contained: links are removed, not followed
# expect: ok

import os

os.mkdir("/tmp/tree")
for number, target in enumerate(("/usr", "/etc", "/opt/sandbox", "/box", "/proc/self/root", "/dev/shm")):
    os.symlink(target, f"/tmp/tree/{number}")
os.symlink("/tmp/tree", "tree")
