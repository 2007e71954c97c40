# A write to a pipe without a reader raises BrokenPipeError, not SIGPIPE.
import os
r, w = os.pipe()
os.close(r)
try:
    os.write(w, b"x")
except BrokenPipeError as e:
    print(e.errno, e)
os.write(w, b"again")
