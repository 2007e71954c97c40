# inspect returns the source of __main__ from main.py.
import inspect
import sys
src = inspect.getsource(sys.modules["__main__"])
print(src == open(__file__).read(), inspect.getsourcefile(sys.modules["__main__"]) == __file__)
