# Exit handlers run in reverse order of their registration.
import atexit
for i in range(4):
    atexit.register(print, "callback", i)
print("body", atexit._ncallbacks())
