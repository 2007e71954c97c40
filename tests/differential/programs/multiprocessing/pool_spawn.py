# A spawned pool runs functions of __mp_main__.
import multiprocessing as mp
def f(x):
    return x + 1, __name__
if __name__ == "__main__":
    with mp.get_context("spawn").Pool(1) as pool:
        print(pool.map(f, [1, 2]))
