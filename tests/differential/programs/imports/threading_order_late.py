# threading is not loaded until the program imports it.
import sys
print("threading" in sys.modules)
import threading
print(threading.main_thread().ident == threading.get_ident(), threading.active_count())
