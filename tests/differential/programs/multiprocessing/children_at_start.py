# The program starts without children and without a chosen start method.
import multiprocessing as mp
import os
print(mp.active_children(), mp.get_start_method(allow_none=True), mp.current_process().daemon)
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError as e:
    print(e)
