import sys
print(sys.argv)
print(sys.flags.optimize, sys.flags.verbose, sys.flags.inspect, __debug__)
