# A second writer on descriptor 1 is flushed at exit in the usual order.
import os
import sys
w = os.fdopen(os.dup(1), "w")
print("main writer")
w.write("second writer\n")
w.flush()
sys.stdout.flush()
w.write("second again, at exit\n")
print("main again, at exit")
