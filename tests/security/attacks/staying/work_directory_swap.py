# attack: remove or replace the work directory itself
# contained: the parent directory belongs to root
# expect: ok

import os

work = os.getcwd()
for attempt in (lambda: os.rename(work, work + "2"), lambda: os.symlink("/opt", "/box/other"), lambda: os.mkdir("/box/next")):
    try:
        attempt()
        print("ESCAPED: changed /box")
    except OSError:
        pass
os.unlink("main.py")
os.mkdir("main.py")
open("main.py/x", "w").close()
