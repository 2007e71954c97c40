# A spawned child writes into a shared memory block.
import multiprocessing as mp
from multiprocessing import shared_memory
def f(name):
    s = shared_memory.SharedMemory(name=name)
    s.buf[:3] = b"abc"
    s.close()
if __name__ == "__main__":
    s = shared_memory.SharedMemory(create=True, size=8)
    p = mp.get_context("spawn").Process(target=f, args=(s.name,))
    p.start()
    p.join()
    print(bytes(s.buf[:4]), p.exitcode)
    s.close()
    s.unlink()
