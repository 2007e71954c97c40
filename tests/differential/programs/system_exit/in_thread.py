# sys.exit in a thread ends only that thread.
import sys
import threading
def work():
    print("thread exits")
    sys.exit(9)
t = threading.Thread(target=work)
t.start()
t.join()
print("main goes on")
