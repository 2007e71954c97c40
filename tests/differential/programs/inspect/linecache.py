# linecache starts empty and reads lines of main.py.
import linecache
import sys
print(__file__ in linecache.cache, len(linecache.cache))
print(repr(linecache.getline(__file__, 1)), repr(linecache.getline(__file__, 999)))
print(repr(linecache.getline("main.py", 2)))
