# The frames below an exit handler and a finalizer are those of a plain start.
import atexit
import sys
def names():
    fr, out = sys._getframe(1), []
    while fr:
        out.append(fr.f_code.co_name)
        fr = fr.f_back
    return out
class A:
    def __del__(self, names=names):
        print(names())
@atexit.register
def bye():
    print(names())
a = A()
del a
