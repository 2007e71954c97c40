# No exit handler is registered when the program starts.
import atexit
print(atexit._ncallbacks())
