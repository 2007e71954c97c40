# A file that is still open at exit warns.
import warnings
warnings.simplefilter("always", ResourceWarning)
f = open("x.txt", "w")
print("end")
