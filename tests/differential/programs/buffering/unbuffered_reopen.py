# A stdout that is opened again without a buffer writes at once.
import io
import os
import sys
sys.stdout = io.TextIOWrapper(open(1, "wb", 0, closefd=False), write_through=True)
sys.stdout.write("a")
os.write(1, b"b")
print("c")
print(sys.stdout.buffer.__class__.__name__, file=sys.__stdout__)
