# A write to stdin and a read from stdout or stderr fail.
import os
for f in (lambda: os.write(0, b"x"), lambda: os.read(1, 1), lambda: os.read(2, 1)):
    try:
        print(f())
    except OSError as e:
        print(e)
