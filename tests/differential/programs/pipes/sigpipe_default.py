# With SIGPIPE's default action, a write without a reader kills the program.
import os
import signal
print("start", flush=True)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
r, w = os.pipe()
os.close(r)
os.write(w, b"x")
print("not reached")
