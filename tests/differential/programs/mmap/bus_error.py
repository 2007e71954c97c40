# Reading a mapping beyond the end of its file kills the program with SIGBUS.
import mmap
import os
print("start", flush=True)
f = open("m.bin", "w+b")
f.truncate(8192)
m = mmap.mmap(f.fileno(), 8192)
f.truncate(0)
m[5000]
