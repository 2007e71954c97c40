# A local threading.py replaces the standard one, and the interpreter complains at exit.
with open("threading.py", "w") as f:
    f.write("marker = 'local threading'\n")
import threading
print(threading.marker)
