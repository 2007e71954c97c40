# The module's code object has the usual flags, names and stack size.
import sys
co = sys._getframe().f_code
print(co.co_flags, co.co_argcount, co.co_name, co.co_qualname, co.co_names[:3], co.co_stacksize)
def f(): ...
print(f.__code__.co_flags, __debug__)
