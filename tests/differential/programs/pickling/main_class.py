# An object of a class in __main__ is pickled under that name.
import pickle
class P:
    def __init__(self, x):
        self.x = x
data = pickle.dumps(P(3))
print(data)
print(pickle.loads(data).x, pickle.loads(pickle.dumps(P)) is P)
