# A pool of two processes maps and applies a function.
import multiprocessing as mp
def sq(x):
    return x * x
if __name__ == "__main__":
    with mp.Pool(2) as pool:
        print(pool.map(sq, range(6)))
        print(pool.apply(sq, (9,)))
