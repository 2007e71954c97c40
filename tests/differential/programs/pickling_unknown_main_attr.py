import pickle
class P: ...
data = pickle.dumps(P())
del P
pickle.loads(data)
