# A module next to the program is imported and cached as bytecode.
with open("sibling.py", "w") as f:
    f.write('"""doc"""\nprint(__name__, __package__, __file__.endswith("sibling.py"))\nvalue = 7\n')
import sibling
import os
print(sibling.value, sibling.__doc__, sibling.__spec__.origin == sibling.__file__, type(sibling.__loader__).__name__)
print(os.listdir("__pycache__"))
