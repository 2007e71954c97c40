# A pool that is never closed does not hang the exit.
import multiprocessing as mp
import warnings
warnings.simplefilter("ignore")
def sq(x):
    return x * x
pool = mp.Pool(1)
print(pool.map(sq, [1, 2]))
