import os
import time
print("parent", flush=True)
if os.fork() == 0:
    time.sleep(0.2)
    print("orphan writes later")
