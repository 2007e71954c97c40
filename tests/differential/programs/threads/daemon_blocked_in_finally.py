# A daemon thread that waits does not run its finally block at exit.
import threading
started = threading.Event()
def f():
    try:
        started.set()
        threading.Event().wait()
    finally:
        print("never printed")
threading.Thread(target=f, daemon=True).start()
started.wait()
