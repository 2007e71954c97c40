# The flush at exit meets a broken pipe: exit code 120 and a message.
import os
r, w = os.pipe()
os.dup2(w, 1)
os.close(r)
os.close(w)
print("nobody reads")
