import sys

sys.stdout.write("0\n")
