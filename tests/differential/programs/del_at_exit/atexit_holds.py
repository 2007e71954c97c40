# An object that an exit handler holds is freed after the handler runs.
import atexit
class A:
    def __call__(self):
        print("called")
    def __del__(self):
        print("del callback object")
atexit.register(A())
print("end")
