# os.popen returns the output and the exit status.
import os
with os.popen("echo hi; exit 3") as p:
    print(p.read())
print(p.close())
