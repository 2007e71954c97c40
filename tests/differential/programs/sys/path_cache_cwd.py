# The current directory gets into the importer cache with the first local import.
import os
import sys
print(os.getcwd() in sys.path_importer_cache, __file__ in sys.path_importer_cache)
with open("mod_a.py", "w") as f:
    f.write("x = 1\n")
import mod_a
print(os.getcwd() in sys.path_importer_cache, type(sys.path_importer_cache[os.getcwd()]).__name__)
