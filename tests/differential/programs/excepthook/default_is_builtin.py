# All hooks are the built-in ones when the program starts.
import sys
import threading
print(sys.excepthook is sys.__excepthook__, sys.excepthook.__name__, type(sys.excepthook).__name__)
print(sys.unraisablehook is sys.__unraisablehook__, sys.displayhook is sys.__displayhook__)
print(sys.breakpointhook is sys.__breakpointhook__, threading.excepthook is threading.__excepthook__)
