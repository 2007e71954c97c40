# A worker thread empties a queue and ends at a sentinel.
import queue
import threading
q = queue.Queue()
def worker():
    while (item := q.get()) is not None:
        print("item", item)
        q.task_done()
    print("worker done")
threading.Thread(target=worker).start()
for i in range(3):
    q.put(i)
q.join()
q.put(None)
