# DEBUG_UNCOLLECTABLE prints nothing at exit when nothing is uncollectable.
import gc
gc.set_debug(gc.DEBUG_UNCOLLECTABLE)
print("end")
