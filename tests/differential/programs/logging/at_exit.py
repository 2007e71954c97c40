# logging flushes and closes its handlers at exit, in order with exit handlers.
import atexit
import logging
import logging.handlers
atexit.register(logging.warning, "from atexit")
class H(logging.Handler):
    def close(self):
        print("handler closed")
        super().close()
    def flush(self):
        print("handler flushed")
h = H()
logging.getLogger("q").addHandler(h)
print("end")
