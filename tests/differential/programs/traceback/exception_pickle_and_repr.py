# An exception whose arguments do not match its constructor fails to unpickle.
import pickle
class E(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a}-{b}")
print(repr(E(1, 2)))
pickle.loads(pickle.dumps(E(1, 2)))
