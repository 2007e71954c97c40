# A trace function sees each line of a call, and none is set before.
import sys
def tracer(frame, event, arg):
    if frame.f_code.co_filename == __file__:
        print(event, frame.f_code.co_name, frame.f_lineno)
        return tracer
print(sys.gettrace(), sys.getprofile())
def f(x):
    y = x + 1
    return y
sys.settrace(tracer)
f(1)
sys.settrace(None)
