# Thread-local values are separate and are freed with their thread.
import threading
loc = threading.local()
loc.x = 1
class D:
    def __del__(self):
        print("local value freed")
def f():
    print(hasattr(loc, "x"))
    loc.d = D()
t = threading.Thread(target=f)
t.start()
t.join()
print("joined")
