# An exception hook that is None is reported as an error in the hook.
import sys
sys.excepthook = None
1 / 0
