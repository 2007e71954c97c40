# A finalizer starts a thread and waits for it.
import threading
class A:
    def __del__(self):
        try:
            t = threading.Thread(target=print, args=("in thread",))
            t.start()
            t.join()
        except Exception as e:
            print(type(e).__name__, e)
a = A()
del a
print("end")
