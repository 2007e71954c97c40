# Jobs of a pool that is never shut down still finish before the exit.
import threading
from concurrent.futures import ThreadPoolExecutor
ex = ThreadPoolExecutor(1)
ended = threading.Event()
for i in range(3):
    ex.submit(lambda i=i: (ended.wait(), print("job", i)))
print("main end")
ended.set()
