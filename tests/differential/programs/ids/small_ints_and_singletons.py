# Empty constants are singletons, and new objects have the usual reference counts.
import sys
print(() is (), "" is str(), b"" is bytes(), (1).__class__ is int, None is type(None)())
print([sys.getrefcount(object()), sys.getrefcount([])])
