# Garbage that is not a pickle raises UnpicklingError.
import pickle
pickle.loads(b"\x80\x04garbage")
