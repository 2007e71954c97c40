# A shell's output comes before text that is still in the buffer.
import os
print("buffered")
r = os.system("echo from shell; exit 3")
print(r, os.waitstatus_to_exitcode(r))
