# Importing "main" loads a second copy of the program.
import importlib
if __name__ == "__main__":
    m = importlib.import_module("main")
    print(m.__name__, m is __import__("main"), m.__spec__.has_location)
else:
    print("second copy", __name__)
