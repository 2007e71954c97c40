# A trace function that is still set at exit sees the usual calls.
import sys
import threading
def tracer(frame, event, arg):
    sys.__stderr__.write(f"{event} {frame.f_code.co_name}\n")
sys.settrace(tracer)
