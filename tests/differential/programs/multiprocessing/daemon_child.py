# A daemonic child is terminated when the main process ends.
import multiprocessing as mp
import time
def f():
    time.sleep(30)
p = mp.Process(target=f, daemon=True)
p.start()
print("main ends, daemon child is terminated")
