# A circular import fails with the message for a partly initialized module.
with open("ca.py", "w") as f:
    f.write("import cb\nfrom cb import y\nx = 1\n")
with open("cb.py", "w") as f:
    f.write("from ca import x\ny = 2\n")
import ca
