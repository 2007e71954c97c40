# A lambda, a local object and a generator cannot be pickled.
import pickle
def f():
    class Local: ...
    return Local()
for obj in (lambda: 1, f(), (i for i in ())):
    try:
        pickle.dumps(obj)
    except Exception as e:
        print(type(e).__name__, str(e).split(" at 0x")[0])
