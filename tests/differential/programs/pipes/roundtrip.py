# A new pipe has the descriptors 3 and 4 and returns what was written.
import os
r, w = os.pipe()
print(r, w, os.get_inheritable(r), os.get_blocking(w))
os.write(w, b"payload")
os.close(w)
print(os.read(r, 100), os.read(r, 100))
