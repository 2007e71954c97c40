# A thread writes through a named pipe.
import os
import threading
os.mkfifo("fifo")
def writer():
    with open("fifo", "w") as f:
        f.write("through fifo\n")
t = threading.Thread(target=writer)
t.start()
with open("fifo") as f:
    print(repr(f.read()))
t.join()
