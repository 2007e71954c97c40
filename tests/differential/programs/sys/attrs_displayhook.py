# The display hook prints a value, stores it in _ and ignores None.
import sys
sys.displayhook(5)
print(_)
sys.displayhook(None)
exec(compile("1 + 2\n", "x", "single"))
print(_)
