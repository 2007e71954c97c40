# attack: replace cached bytecode of the standard library or of the runner
# contained: they are read-only and belong to root
# expect: ok
# stdout: contained

import glob
import json
import os

for name in [json.__cached__, *glob.glob("/opt/sandbox/**/*.pyc", recursive=True), *glob.glob("/usr/lib/python3.11/**/*.pyc", recursive=True)[:50]]:
    for attempt in (lambda: open(name, "r+b"), lambda: os.unlink(name), lambda: os.rename(name, "/tmp/x"), lambda: os.chmod(name, 0o777)):
        try:
            attempt()
            print("ESCAPED:", name)
        except OSError:
            pass
print("contained")
