# freeze() counts from zero, and the usual objects are tracked.
import gc
print(gc.is_tracked([]), gc.is_tracked({}), gc.is_tracked({"a": []}), gc.is_tracked(1))
gc.collect()
n = gc.get_freeze_count()
gc.freeze()
print(n, gc.get_freeze_count() > 100)
gc.unfreeze()
print(gc.get_freeze_count())
