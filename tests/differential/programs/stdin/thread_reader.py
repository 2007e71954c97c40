# A thread reads all lines of standard input.
import sys
import threading
got = []
t = threading.Thread(target=lambda: got.extend(sys.stdin))
t.start()
t.join()
print(got)
