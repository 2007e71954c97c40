# The path hooks and the finders are those of a plain start.
import sys
print([getattr(h, "__name__", type(h).__name__) for h in sys.path_hooks])
print([getattr(h, "__name__", type(h).__name__) for h in sys.meta_path])
print(all(isinstance(p, str) for p in sys.path), len(sys.path) == len(set(sys.path)))
