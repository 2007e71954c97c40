# Automatic collections start at the usual allocations.
import gc
hits = []
gc.collect()
gc.callbacks.append(lambda phase, info: hits.append((phase, info["generation"])))
x = [[] for _ in range(5000)]
gc.callbacks.clear()
print(len(hits), hits[:4])
