# A direct call of the exception hook prints the traceback, and the program goes on.
import sys
try:
    1 / 0
except ZeroDivisionError:
    sys.excepthook(*sys.exc_info())
print("continues")
