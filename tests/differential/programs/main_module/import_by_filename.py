# Importing main loads a second module with a spec and a cache path.
import sys
print(__name__)
if __name__ == "__main__":
    import main
    print(main is sys.modules["__main__"], main.__name__, main.__spec__.name)
    print(main.__cached__.endswith("__pycache__/main.cpython-311.pyc"))
