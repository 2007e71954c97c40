# select() reports standard input as readable, with data and at its end.
import os
import select
r, w, x = select.select([0], [1], [], 1)
print(r, w, x)
print(os.read(0, 10))
r, _, _ = select.select([0], [], [], 1)
print(r, os.read(0, 10))
