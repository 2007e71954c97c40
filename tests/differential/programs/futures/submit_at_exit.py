# A pool refuses new jobs in an exit handler.
import atexit
from concurrent.futures import ThreadPoolExecutor
ex = ThreadPoolExecutor(1)
def f():
    try:
        ex.submit(print, "x")
    except RuntimeError as e:
        print(e)
atexit.register(f)
