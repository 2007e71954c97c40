# sys has the attributes of a plain start.
import sys
print([n for n in dir(sys) if n not in ("gettotalrefcount", "getobjects")])
