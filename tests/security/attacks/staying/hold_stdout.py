# attack: an orphan keeps the output pipe open, so that the worker waits for its end forever
# contained: the orphan is killed before the worker reads the rest
# expect: ok
# stdout: ^done

import os
import time

print("done", flush=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(60)
