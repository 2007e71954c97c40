# The program's directory is first on the path, once.
import os
import sys
print(sys.path[0] == os.getcwd(), sys.path[0] == os.path.dirname(__file__), "" in sys.path, sys.path.count(os.getcwd()))
print([os.path.basename(p) for p in sys.path[1:]])
