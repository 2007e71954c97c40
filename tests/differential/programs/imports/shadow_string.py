# A local string.py replaces the string of the standard library.
with open("string.py", "w") as f:
    f.write("digits = 'local'\n")
import string
print(string.digits)
