# The message of sys.exit goes to a replaced stderr.
import io
import sys
sys.stderr = io.StringIO()
import atexit
atexit.register(lambda: print(repr(sys.stderr.getvalue())))
sys.exit("to the replaced stream")
