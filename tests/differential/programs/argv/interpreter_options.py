# Arguments that look like options of the interpreter reach the program and change no flag.
import sys
print(sys.argv)
print(sys.flags.optimize, sys.flags.verbose, sys.flags.inspect, __debug__)
