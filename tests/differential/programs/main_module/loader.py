# The loader of __main__ returns the path and the source of main.py.
import os
print(__loader__.name, __loader__.path == __file__, os.path.basename(__loader__.path))
print(__loader__.get_filename("__main__") == __file__)
print(__loader__.get_source("__main__").count("\n"))
print(__loader__.is_package("__main__"))
