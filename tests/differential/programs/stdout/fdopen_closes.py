# The flush at exit fails after descriptor 1 is closed by another file object.
import os
with os.fdopen(1, "w") as f:
    f.write("written, then fd 1 is closed\n")
print("too late")
