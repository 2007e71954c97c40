# attack: a daemon by double fork, which writes a file once the run is over
# contained: the supervisor adopts and kills every orphan before it answers
# expect: ok

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for descriptor in range(3):
            os.close(descriptor)
        while True:
            time.sleep(0.01)
            open("/tmp/still-here", "w").close()
    os._exit(0)
os.wait()
print("daemon started")
