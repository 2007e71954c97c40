# Handlers that are run by hand are not run again at exit.
import atexit
atexit.register(print, "once")
atexit._run_exitfuncs()
print("after", atexit._ncallbacks())
