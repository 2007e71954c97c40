# faulthandler writes the usual report when a forked child crashes.
import ctypes
import faulthandler
log = open("crash.txt", "w")
import os
pid = os.fork()
if pid == 0:
    faulthandler.enable(log)
    ctypes.string_at(0)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
text = open("crash.txt").read().splitlines()
print(text[0], len(text), text[-1].split(", ")[-1])
