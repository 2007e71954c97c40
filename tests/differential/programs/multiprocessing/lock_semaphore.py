# Locks, semaphores and events work between processes.
import multiprocessing as mp
lock = mp.Lock()
sem = mp.Semaphore(2)
ev = mp.Event()
def f():
    with lock:
        ev.set()
p = mp.Process(target=f)
p.start()
print(ev.wait(2), sem.acquire(), sem.get_value())
p.join()
print(lock)
