# attack: remove or replace the work directory itself
# contained: the directory above it is root's
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
