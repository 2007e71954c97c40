# getopt parses the arguments and fails on an unknown option.
import getopt
import sys
print(getopt.getopt(sys.argv[1:], "v", ["out="]))
getopt.getopt(["--bad"], "v")
