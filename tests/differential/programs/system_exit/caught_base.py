# sys.exit is caught as BaseException, not as Exception.
import sys
try:
    sys.exit(5)
except Exception:
    print("not here")
except BaseException as e:
    print(type(e).__name__, e.code, e.args)
