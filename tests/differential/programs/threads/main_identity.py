# The program runs in the main thread, the only one.
import threading
m = threading.main_thread()
print(m is threading.current_thread(), m.ident == threading.get_ident(), m.name, m.daemon, type(m).__name__)
print(threading.active_count(), [t.name for t in threading.enumerate()])
