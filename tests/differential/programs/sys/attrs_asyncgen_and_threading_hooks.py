# No hooks of generators or threads are set, and the switch interval is the default.
import sys
import threading
print(sys.get_asyncgen_hooks(), threading.gettrace(), threading.getprofile(), sys.getswitchinterval())
sys.setswitchinterval(0.001)
print(round(sys.getswitchinterval(), 6))
