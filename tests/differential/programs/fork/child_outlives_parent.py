# Output of a child that outlives its parent is handled as usual.
import os
import time
print("parent", flush=True)
if os.fork() == 0:
    time.sleep(0.2)
    print("orphan writes later")
