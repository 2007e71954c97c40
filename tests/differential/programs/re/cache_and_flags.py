# The cache of regular expressions is empty, and a bad pattern raises an error.
import re
print(len(re._cache), re._MAXCACHE, re.findall(r"(?P<a>\w)(\d)", "a1 b2"), re.compile("x", re.I | re.M))
re.compile("(unclosed")
