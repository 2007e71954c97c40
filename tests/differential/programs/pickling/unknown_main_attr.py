# Unpickling fails after the class is deleted from __main__.
import pickle
class P: ...
data = pickle.dumps(P())
del P
pickle.loads(data)
