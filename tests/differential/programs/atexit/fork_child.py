# A forked child runs the exit handlers too, before its parent does.
import atexit
import os
atexit.register(print, "atexit")
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
    print("parent")
else:
    print("child")
