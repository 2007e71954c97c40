# Imports of decimal and json add the same modules.
import sys
before = set(sys.modules)
import decimal
import json
new = set(sys.modules) - before
print(sorted(n for n in new if not n.startswith("_")))
