# Imports come from the program's directory after a change of directory.
import os
os.mkdir("sub")
with open("here.py", "w") as f:
    f.write("where = 'script dir'\n")
with open("sub/here.py", "w") as f:
    f.write("where = 'sub dir'\n")
os.chdir("sub")
import here
print(here.where)
