import sys
import threading
t = threading.Thread(target=sys.exit, args=("message from thread",))
t.start()
t.join()
print("main done")
