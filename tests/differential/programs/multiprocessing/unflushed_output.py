# Text in the buffer before a child starts is written once.
import multiprocessing as mp
import sys
sys.stdout.write("pending;")
def f():
    sys.stdout.write("child;")
p = mp.Process(target=f)
p.start()
p.join()
sys.stdout.write("parent;\n")
