# The first worker of a pool has the number 0 in its name.
import threading
from concurrent.futures import ThreadPoolExecutor
ex = ThreadPoolExecutor(1)
print(ex.submit(lambda: threading.current_thread().name).result())
