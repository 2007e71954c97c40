import os
import sys
print("x")
os.close(1)
try:
    sys.stdout.flush()
except OSError as e:
    sys.stderr.write(f"{e}\n")
