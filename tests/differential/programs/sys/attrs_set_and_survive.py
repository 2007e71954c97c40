# The program may set attributes of sys, new and old.
import sys
sys.custom = 1
sys.argv = ["replaced"]
sys.ps1 = ">>> "
print(sys.custom, sys.argv, sys.flags.interactive)
