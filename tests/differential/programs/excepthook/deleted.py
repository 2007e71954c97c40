# Without an exception hook the interpreter prints the exception itself.
import sys
del sys.excepthook
1 / 0
