# Statistics of all three generations report nothing uncollectable.
import gc
print([s["uncollectable"] for s in gc.get_stats()], len(gc.get_stats()))
