# sys.exit with a message in a thread prints nothing.
import sys
import threading
t = threading.Thread(target=sys.exit, args=("message from thread",))
t.start()
t.join()
print("main done")
