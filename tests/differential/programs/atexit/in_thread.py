# A handler that a thread registers runs at exit.
import atexit
import threading
t = threading.Thread(target=atexit.register, args=(print, "registered in thread"))
t.start()
t.join()
print("main")
