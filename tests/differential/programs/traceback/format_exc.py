# format_exc and print_exc describe the current exception, and None outside.
import traceback
def f():
    raise KeyError("k")
try:
    f()
except KeyError:
    out = traceback.format_exc().splitlines()
    print(out[0], len(out), out[-1])
    traceback.print_exc()
print(traceback.format_exc())
