# An exception in a forked child prints a traceback and exits with code 1.
import os
pid = os.fork()
if pid == 0:
    raise ValueError("child fails")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
