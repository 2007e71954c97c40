# attack: leave directories without any permission
# contained: the supervisor takes ownership of them
# expect: ok

import os

for top in ("/tmp", "/dev/shm", "."):
    os.makedirs(f"{top}/a/b/c")
    for name in ("a/b/c", "a/b", "a"):
        os.chmod(f"{top}/{name}", 0)
os.chmod(".", 0)
