# Spawning without a __main__ guard fails in the child with the usual advice.
import multiprocessing as mp
def f():
    pass
p = mp.get_context("spawn").Process(target=f)
p.start()
p.join()
print(p.exitcode)
