# A forgotten temporary directory is removed with a warning.
import os
import tempfile
import warnings
warnings.simplefilter("always")
warnings.showwarning = lambda m, c, *a, **k: print(c.__name__, str(m).split(" <")[0])
d = tempfile.TemporaryDirectory(dir=".")
name = d.name
del d
print(os.path.exists(name))
