# The message of sys.exit is lost when stderr is closed.
import sys
sys.stderr.close()
sys.exit("nobody sees this")
