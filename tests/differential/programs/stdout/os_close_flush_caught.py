# A flush error on a closed descriptor 1 comes back at exit after it is caught.
import os
import sys
print("x")
os.close(1)
try:
    sys.stdout.flush()
except OSError as e:
    sys.stderr.write(f"{e}\n")
