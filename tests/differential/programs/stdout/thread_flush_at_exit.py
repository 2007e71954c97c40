# Text that a thread leaves in the buffer is flushed at exit.
import sys
import threading
def f():
    sys.stdout.write("from thread, no flush;")
t = threading.Thread(target=f)
t.start()
t.join()
sys.stdout.write("main\n")
