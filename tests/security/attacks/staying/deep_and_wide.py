# attack: deep trees in every place at once, with files at every level
# contained: removal needs no recursion, as with one tree
# expect: ok, memory_limit_exceeded

import os

for top in ("/tmp", "/dev/shm", os.getcwd()):
    os.chdir(top)
    for number in range(1_500):
        os.mkdir("d")
        os.mkdir("e")
        open(f"f{number}", "w").close()
        os.chdir("d")
