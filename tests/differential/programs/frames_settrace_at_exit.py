import sys
import threading
def tracer(frame, event, arg):
    sys.__stderr__.write(f"{event} {frame.f_code.co_name}\n")
sys.settrace(tracer)
