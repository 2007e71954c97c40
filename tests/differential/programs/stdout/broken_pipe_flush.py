# A flushed print to a broken pipe raises BrokenPipeError.
import os
r, w = os.pipe()
os.dup2(w, 1)
os.close(r)
print("nobody reads", flush=True)
