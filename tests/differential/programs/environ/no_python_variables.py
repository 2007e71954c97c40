# No PYTHON variable but PYTHONHASHSEED is in the environment.
import os
print(sorted(k for k in os.environ if k.startswith("PYTHON") and k != "PYTHONHASHSEED"))
