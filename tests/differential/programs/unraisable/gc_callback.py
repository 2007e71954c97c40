# An error in a collector's callback is reported and ignored.
import gc
class CB:
    def __call__(self, phase, info):
        if phase == "start":
            raise ValueError("gc callback")
    def __repr__(self):
        return "<CB>"
gc.callbacks.append(CB())
gc.collect()
gc.callbacks.clear()
print("end")
