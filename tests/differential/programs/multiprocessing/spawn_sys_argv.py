# A spawned child gets the program's arguments and path.
import multiprocessing as mp
import os
import sys
def f(q):
    q.put((sys.argv[1:], os.path.basename(sys.argv[0]), sys.path[0] == os.getcwd()))
if __name__ == "__main__":
    ctx = mp.get_context("spawn")
    q = ctx.SimpleQueue()
    p = ctx.Process(target=f, args=(q,))
    p.start()
    print(q.get())
    p.join()
