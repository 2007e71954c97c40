# The traceback of a spawned child names main.py.
import multiprocessing as mp
def f():
    {}["x"]
if __name__ == "__main__":
    p = mp.get_context("spawn").Process(target=f)
    p.start()
    p.join()
    print(p.exitcode)
