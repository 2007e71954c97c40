# attack: leave hard links to other files, so that removing or keeping one changes another
# contained: links to files of others are refused or are only names
# expect: ok

import os

for target in ("/etc/passwd", "/usr/bin/python3", "/opt/sandbox/sandbox/__init__.py"):
    for name in ("link", "/tmp/link", "/dev/shm/link"):
        try:
            os.link(target, name)
            print("ESCAPED: linked", target)
        except OSError:
            pass
open("a", "w").close()
for number in range(1_000):
    os.link("a", f"a{number}")
