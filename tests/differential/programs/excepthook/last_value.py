# An exit handler finds the uncaught exception in sys.last_value.
import atexit
import sys
def show():
    print(sys.last_type.__name__, sys.last_value, sys.last_traceback.tb_lineno)
    print(sys.last_traceback.tb_frame.f_back)
atexit.register(show)
raise ValueError("x")
