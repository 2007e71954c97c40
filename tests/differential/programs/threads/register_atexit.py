# Exit callbacks of threading run before other exit handlers.
import threading
threading._register_atexit(print, "threading atexit 1")
threading._register_atexit(print, "threading atexit 2")
import atexit
atexit.register(print, "plain atexit")
print("main")
