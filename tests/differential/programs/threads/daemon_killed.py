# A sleeping daemon thread does not delay the exit.
import threading
import time
def f():
    print("daemon starts", flush=True)
    started.set()
    time.sleep(30)
    print("never")
started = threading.Event()
threading.Thread(target=f, daemon=True).start()
started.wait()
print("main end")
