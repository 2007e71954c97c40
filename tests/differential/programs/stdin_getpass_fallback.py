import getpass
import sys
print(repr(getpass.fallback_getpass("pw: ", sys.stderr)))
