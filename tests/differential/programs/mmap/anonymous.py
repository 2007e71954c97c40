# Anonymous shared memory carries a child's bytes to its parent.
import mmap
import os
m = mmap.mmap(-1, 4096)
pid = os.fork()
if pid == 0:
    m[:5] = b"child"
    os._exit(0)
os.waitpid(pid, 0)
print(m[:6], len(m), mmap.PAGESIZE)
