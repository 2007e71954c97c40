# sys.exit with a message in an exit handler keeps the first exit code.
import atexit
import sys
class Bye:
    def __call__(self):
        sys.exit("bye message")
    def __repr__(self):
        return "<Bye>"
atexit.register(Bye())
sys.exit(3)
