import sys
print([n for n in dir(sys) if n not in ("gettotalrefcount", "getobjects")])
