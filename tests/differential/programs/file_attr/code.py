# Code objects and frames carry __file__ and the usual first line.
import os
import sys
def f(): ...
print(f.__code__.co_filename == __file__, sys._getframe().f_code.co_filename == __file__)
print(f.__code__.co_firstlineno, sys._getframe().f_code.co_firstlineno)
