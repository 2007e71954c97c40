# attack: change modes, owners or times of the shared places and devices themselves
# contained: they belong to root
# expect: ok
# stdout: contained

import os

for name in ("/tmp", "/dev/shm", "/dev/null", "/dev/zero", "/dev/ptmx", "/box", "/dev/mqueue"):
    for attempt in (lambda: os.chmod(name, 0), lambda: os.chown(name, os.getuid(), -1), lambda: os.utime(name, (0, 0)), lambda: os.rename(name, name + "x")):
        try:
            attempt()
            print("ESCAPED: changed", name)
        except OSError:
            pass
print("contained")
