# attack: hide data in extended attributes of shared places
# contained: /tmp and /dev/shm belong to root, and attributes of the program's files are removed with them
# expect: ok

import os

for name in ("/tmp", "/dev/shm", "/box", "/box/program", "/dev/null", "/proc/self"):
    try:
        os.setxattr(name, "user.left", b"data")
        print("ESCAPED: attribute on", name)
    except OSError:
        pass
open("/tmp/x", "w").close()
try:
    os.setxattr("/tmp/x", "user.left", b"data")
except OSError:
    pass
