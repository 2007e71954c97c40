# The main thread's native id is the process id.
import os
import threading
print(os.getpid() == threading.get_native_id(), threading.main_thread().native_id == os.getpid())
print(len(os.listdir("/proc/self/task")), os.listdir("/proc/self/task") == [str(os.getpid())])
