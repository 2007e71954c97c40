# A forked child goes on with the program and exits with its own code.
import os
import sys
print("start", flush=True)
pid = os.fork()
if pid == 0:
    print("child")
    sys.exit(3)
print("parent saw", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
