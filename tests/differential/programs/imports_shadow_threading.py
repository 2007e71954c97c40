with open("threading.py", "w") as f:
    f.write("marker = 'local threading'\n")
import threading
print(threading.marker)
