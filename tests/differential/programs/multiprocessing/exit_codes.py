# Children report exit codes for exit, message, exception and signal.
import multiprocessing as mp
import os
import signal
import sys
def run(kind):
    sys.stderr = None
    if kind == "exit":
        sys.exit(3)
    if kind == "text":
        sys.exit("x")
    if kind == "raise":
        raise ValueError
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
for k in ("ok", "exit", "text", "raise", "kill"):
    p = mp.Process(target=run, args=(k,))
    p.start()
    p.join()
    print(k, p.exitcode)
