import warnings
warnings.simplefilter("always", ResourceWarning)
f = open("x.txt", "w")
print("end")
