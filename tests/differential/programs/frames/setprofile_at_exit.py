# A profile function that is still set at exit sees the usual events.
import sys
def prof(frame, event, arg):
    if event in ("call", "return"):
        sys.__stderr__.write(f"{event} {frame.f_code.co_name}\n")
def f():
    return 1
sys.setprofile(prof)
f()
