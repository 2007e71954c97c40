# The directory holds main.py only, without a cache of bytecode.
import os
print(sorted(os.listdir(".")))
print(os.path.exists("__pycache__"))
