import os
print(sorted(os.listdir(".")))
print(os.path.exists("__pycache__"))
