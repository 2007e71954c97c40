# Global variables are still alive in an exit handler and are freed after it.
import atexit
value = [1, 2]
class A:
    def __del__(self):
        print("del after atexit")
a = A()
@atexit.register
def f():
    print("globals alive", value, a is not None)
