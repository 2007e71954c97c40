# find_spec reports the loader of stdlib, built-in, frozen and missing modules.
import importlib.util
for n in ("json", "sys", "zipimport", "no_such", "os.path"):
    s = importlib.util.find_spec(n)
    print(n, s and (s.name, type(s.loader).__name__ if not isinstance(s.loader, type) else s.loader.__name__, s.has_location))
