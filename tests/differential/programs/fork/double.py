# A grandchild writes through a pipe after its parent is gone.
import os
import time
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    if os.fork() == 0:
        os.write(w, b"grandchild")
    os._exit(0)
os.waitpid(pid, 0)
os.close(w)
print(os.read(r, 100), os.read(r, 100))
