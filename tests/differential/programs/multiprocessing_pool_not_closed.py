import multiprocessing as mp
import warnings
warnings.simplefilter("ignore")
def sq(x):
    return x * x
pool = mp.Pool(1)
print(pool.map(sq, [1, 2]))
