# Modules of the standard library have the usual spec, file and loader.
import json
import os
print(json.__name__, json.__package__, os.path.basename(json.__file__), json.__spec__.parent, os.path.basename(json.__cached__))
print(os.__spec__.origin, os.__loader__.__name__)
