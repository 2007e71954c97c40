# A forked child is called Process-1 and knows its parent.
import multiprocessing as mp
import os
def f(x):
    print("child", x, mp.current_process().name, os.getppid() == parent, __name__)
parent = os.getpid()
print(mp.get_start_method(), mp.current_process().name, mp.parent_process())
p = mp.Process(target=f, args=(3,))
p.start()
p.join()
print(p.exitcode, p.name)
