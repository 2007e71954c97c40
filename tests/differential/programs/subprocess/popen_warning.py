# A child that is still running when its object is freed raises a warning.
import subprocess
import warnings
warnings.simplefilter("always")
warnings.showwarning = lambda m, c, *a, **k: print(c.__name__, "subprocess" in str(m))
p = subprocess.Popen(["sleep", "0.1"])
q = p
del p, q
print("end")
