# Objects are freed at exit after __main__ is removed from sys.modules.
import sys
class D:
    def __del__(self):
        print("del", __name__)
d = D()
del sys.modules["__main__"]
print("end")
