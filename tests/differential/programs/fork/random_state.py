# A forked child seeds its generator anew and draws another number than its parent.
import os
import random
random.seed(5)
r, w = os.pipe()
if os.fork() == 0:
    os.write(w, str(random.randint(0, 10**6)).encode())
    os._exit(0)
os.wait()
print(os.read(r, 50).decode() == str(random.randint(0, 10**6)))
