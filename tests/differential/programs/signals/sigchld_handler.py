# A handler of SIGCHLD runs when a child ends.
import os
import signal
import time
got = []
signal.signal(signal.SIGCHLD, lambda n, f: got.append(n))
pid = os.fork()
if pid == 0:
    os._exit(5)
while not got:
    time.sleep(0.01)
print(got, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
