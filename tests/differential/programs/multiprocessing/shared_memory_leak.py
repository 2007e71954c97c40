# A named shared memory block appears in /dev/shm and is removed.
import os
from multiprocessing import resource_tracker, shared_memory
s = shared_memory.SharedMemory(name="differential_leak_check", create=True, size=16)
resource_tracker.unregister(s._name, "shared_memory")
print(os.path.exists("/dev/shm/differential_leak_check"))
s.close()
os.unlink("/dev/shm/differential_leak_check")
