# A child writes into a shared memory block by its name.
from multiprocessing import Process, shared_memory
def f(name):
    s = shared_memory.SharedMemory(name=name)
    s.buf[0] = 42
    s.close()
if __name__ == "__main__":
    s = shared_memory.SharedMemory(create=True, size=16)
    p = Process(target=f, args=(s.name,))
    p.start()
    p.join()
    print(s.buf[0], len(s.name) > 3)
    s.close()
    s.unlink()
