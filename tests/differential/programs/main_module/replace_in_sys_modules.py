# A replaced entry of __main__ is what an import finds.
import sys
import types
keep = sys.modules["__main__"]
sys.modules["__main__"] = types.ModuleType("__main__")
import __main__
print(hasattr(__main__, "sys"), hasattr(keep, "sys"), __name__)
