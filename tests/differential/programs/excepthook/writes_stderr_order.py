# The buffered text of stdout is flushed before the traceback is printed.
import os
import sys
os.dup2(1, 2)
sys.tracebacklimit = 0
print("stdout line, buffered")
sys.stderr.write("stderr line\n")
raise ValueError("flushes stdout first?")
