# An exception in a child prints its traceback and sets exit code 1.
import multiprocessing as mp
def f():
    raise ValueError("in child")
p = mp.Process(target=f)
p.start()
p.join()
print(p.exitcode)
