import re
print(len(re._cache), re._MAXCACHE, re.findall(r"(?P<a>\w)(\d)", "a1 b2"), re.compile("x", re.I | re.M))
re.compile("(unclosed")
