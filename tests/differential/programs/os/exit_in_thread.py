# os._exit in a thread ends the whole program at once.
import os
import threading
import time
def work():
    print("thread", flush=True)
    os._exit(12)
threading.Thread(target=work).start()
time.sleep(1.5)
print("not reached")
