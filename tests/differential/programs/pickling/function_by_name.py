# A function of __main__ is pickled by its name.
import pickle
def work(x): return x * 2
print(pickle.dumps(work, 0), pickle.loads(pickle.dumps(work))(4))
