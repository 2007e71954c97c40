import getopt
import sys
print(getopt.getopt(sys.argv[1:], "v", ["out="]))
getopt.getopt(["--bad"], "v")
