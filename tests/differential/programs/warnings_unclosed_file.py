import warnings
warnings.simplefilter("always")
def f():
    open("x.txt", "w")
f()
print("end")
