import atexit
for i in range(4):
    atexit.register(print, "callback", i)
print("body", atexit._ncallbacks())
