# attack: leave files in directories with the sticky bit, in which only an owner may delete
# contained: the supervisor takes ownership of directories before it empties them
# expect: ok

import os

for top in ("/tmp", "/dev/shm", "."):
    os.makedirs(f"{top}/a/b/c")
    for name in ("a", "a/b", "a/b/c"):
        open(f"{top}/{name}/file", "w").close()
        os.chmod(f"{top}/{name}", 0o1777)
os.chmod(".", 0o1777)
