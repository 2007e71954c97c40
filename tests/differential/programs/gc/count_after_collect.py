# The counters of the generations are reset by a collection.
import gc
gc.collect()
a = gc.get_count()
print(a[1:], a[0] < 50)
