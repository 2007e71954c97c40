# A message goes to stderr, and the exit code is 1.
import sys
print("out")
sys.exit("fatal: something went wrong é")
