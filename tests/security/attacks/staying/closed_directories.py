# attack: leave directories without any permission
# contained: the supervisor makes them its own
# expect: ok

import os

for top in ("/tmp", "/dev/shm", "."):
    os.makedirs(f"{top}/a/b/c")
    for name in ("a/b/c", "a/b", "a"):
        os.chmod(f"{top}/{name}", 0)
os.chmod(".", 0)
