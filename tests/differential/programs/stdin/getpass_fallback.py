# getpass falls back to standard input with a warning.
import getpass
import sys
print(repr(getpass.fallback_getpass("pw: ", sys.stderr)))
