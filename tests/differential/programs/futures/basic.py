# A thread pool maps in order and hands over a task's exception.
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2) as ex:
    print(list(ex.map(lambda x: x * x, range(5))))
    fut = ex.submit(lambda: 1 / 0)
    print(type(fut.exception()).__name__)
