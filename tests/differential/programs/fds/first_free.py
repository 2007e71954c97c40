# New descriptors get the numbers 3, 4 and so on.
import os
f = open(__file__)
print(f.fileno())
g = os.open("/dev/null", os.O_RDONLY)
print(g)
os.close(g)
print(os.dup(0))
