# A timer fires after the main thread has ended, and a cancelled one does not.
import threading
t = threading.Timer(0.05, print, ["timer fired"])
t.start()
c = threading.Timer(30, print, ["never"])
c.start()
c.cancel()
print("main")
