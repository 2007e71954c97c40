# A global object is referred to by the module's globals only.
import gc
class A: ...
a = A()
print([type(r).__name__ for r in gc.get_referrers(a)], gc.get_referrers(a)[0] is globals())
