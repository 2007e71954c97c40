# os.read and input() share one descriptor: what input() buffers, os.read no longer sees.
import os
print(os.read(0, 4))
print(input())
print(os.read(0, 10))
print(input())
