# Text in the buffer before a fork is written by both processes.
import os
import sys
sys.stdout.write("before fork;")
pid = os.fork()
if pid == 0:
    sys.stdout.write("child;\n")
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
sys.stdout.write("parent;\n")
