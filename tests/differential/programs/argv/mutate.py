# A change to sys.argv leaves sys.orig_argv as it was.
import sys
sys.argv.append("c")
sys.argv[0] = "zero"
print(sys.argv, sys.orig_argv[1:])
