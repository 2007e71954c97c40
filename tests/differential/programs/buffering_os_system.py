import os
print("buffered")
r = os.system("echo from shell; exit 3")
print(r, os.waitstatus_to_exitcode(r))
