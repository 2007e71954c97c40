# inspect returns the source of a function, a class and a method.
import inspect
def f(a, b=1):
    # a comment
    return a + b
class C:
    def m(self):
        return 1
print(inspect.getsource(f), inspect.getsource(C), inspect.getsourcelines(C.m))
print(inspect.getmodule(f).__name__, inspect.getcomments(f), inspect.signature(f))
