# Caches of fnmatch, re and linecache hold no more than in a new interpreter.
import fnmatch
import functools
import re
import linecache
import typing
print(fnmatch._compile_pattern.cache_info(), len(re._cache), linecache.cache)
@functools.cache
def f(n):
    return n
f(1), f(1)
print(f.cache_info())
