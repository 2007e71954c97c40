# Modules that a warm interpreter preloads do not show in sys.modules.
import sys
for n in ("json", "random", "threading", "asyncio", "numpy", "pickle", "subprocess", "logging", "typing", "re", "collections", "multiprocessing", "tempfile", "socket", "ctypes"):
    print(n, n in sys.modules)
