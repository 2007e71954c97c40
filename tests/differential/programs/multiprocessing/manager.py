# A manager's dictionary is shared with a child.
import multiprocessing as mp
def f(d):
    d["k"] = [1, 2]
if __name__ == "__main__":
    with mp.Manager() as m:
        d = m.dict()
        p = mp.Process(target=f, args=(d,))
        p.start()
        p.join()
        print(dict(d))
