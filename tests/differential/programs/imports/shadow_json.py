# A local json.py replaces the json of the standard library.
with open("json.py", "w") as f:
    f.write("print('local json imported')\ndumps = str\n")
import json
print(json.dumps([1]))
