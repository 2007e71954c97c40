# The threading module's internal tables are those of a new interpreter.
import threading
print(threading._shutdown_locks == set(), len(threading._active), threading._limbo, threading.stack_size())
print(threading.gettrace(), threading.getprofile())
