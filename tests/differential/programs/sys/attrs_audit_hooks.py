# An audit hook sees the events of open, compile and listdir.
import sys
events = []
on = True
def hook(e, a):
    if on:
        events.append(e)
sys.addaudithook(hook)
open("/dev/null").close()
compile("1", "x", "eval")
import os
os.listdir(".")
on = False
print(events)
