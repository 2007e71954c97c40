# The main thread's thread-local value is freed at exit.
import threading
class A:
    def __del__(self):
        print("del thread-local")
loc = threading.local()
loc.a = A()
print("end")
