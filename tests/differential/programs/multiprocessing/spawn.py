# A spawned child runs the program again as __mp_main__.
import multiprocessing as mp
print("module runs as", __name__)
def f(q):
    q.put((__name__, f.__module__, mp.current_process().name))
if __name__ == "__main__":
    ctx = mp.get_context("spawn")
    q = ctx.SimpleQueue()
    p = ctx.Process(target=f, args=(q,))
    p.start()
    p.join()
    print(q.get(), p.exitcode)
