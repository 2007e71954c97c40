# A queue carries dictionaries from a child to its parent.
import multiprocessing as mp
def f(q):
    for i in range(3):
        q.put({"i": i})
    q.put(None)
q = mp.Queue()
p = mp.Process(target=f, args=(q,))
p.start()
print([*iter(q.get, None)])
p.join()
print(p.exitcode)
