# A module is imported from a zip archive.
import sys
import zipfile
with zipfile.ZipFile("lib.zip", "w") as z:
    z.writestr("zipped.py", "def f():\n    return __name__, __file__\n")
sys.path.insert(0, "lib.zip")
import zipped
print(zipped.f(), type(zipped.__loader__).__name__)
