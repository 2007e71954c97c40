# Access to a closed mapping raises ValueError.
import mmap
m = mmap.mmap(-1, 10)
m.close()
m[0]
