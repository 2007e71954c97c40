# An object of a class in main.py is sent to a spawned child.
import multiprocessing as mp
class Job:
    def __init__(self, n):
        self.n = n
    def __call__(self, q):
        q.put((type(self).__module__, self.n))
if __name__ == "__main__":
    ctx = mp.get_context("spawn")
    q = ctx.SimpleQueue()
    p = ctx.Process(target=Job(4), args=(q,))
    p.start()
    print(q.get())
    p.join()
