# The builtins are those of a plain start, with no name added.
import builtins
print(dir(builtins))
