# The message of sys.exit goes to C's stderr when sys.stderr is None.
import sys
sys.stderr = None
sys.exit("seen on C stderr?")
