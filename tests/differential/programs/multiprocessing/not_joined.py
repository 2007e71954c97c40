# The main process waits for a child that nobody joins.
import multiprocessing as mp
import time
def f():
    time.sleep(0.1)
    print("child ends")
mp.Process(target=f).start()
print("main ends", flush=True)
