# A file that is freed without a close warns at the calling line.
import warnings
warnings.simplefilter("always")
def f():
    open("x.txt", "w")
f()
print("end")
