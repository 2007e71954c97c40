# attack: leave files with names that trip scripts: newlines, bytes that are not UTF-8, 255 bytes, leading dashes
# contained: names are never interpreted
# expect: ok

import os

for top in (b"/tmp/", b"/dev/shm/", b"./"):
    for name in (b"\xff\xfe\x80", b"a\nb", b"-rf", b"*", b" ", b"x" * 255, b"\\", b"..x", b"$(id)"):
        os.mkdir(top + name)
        open(top + name + b"/" + name, "w").close()
