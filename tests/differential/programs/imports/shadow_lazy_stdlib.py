# A local struct.py is imported, even though the warm interpreter knows struct.
with open("struct.py", "w") as f:
    f.write("print('local struct')\ndef pack(*a):\n    return 'fake'\n")
import struct
print(struct.pack("i", 1))
import sys
print(sys.modules["struct"].__file__.endswith("struct.py"), "_struct" in sys.modules)
