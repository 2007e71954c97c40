import threading
print(threading._shutdown_locks == set(), len(threading._active), threading._limbo, threading.stack_size())
print(threading.gettrace(), threading.getprofile())
