# faulthandler dumps the frames of a plain start.
import faulthandler
import sys
def f():
    faulthandler.dump_traceback(sys.stderr, all_threads=False)
f()
