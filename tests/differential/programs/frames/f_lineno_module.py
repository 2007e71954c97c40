# The frame of the caller reports the right line, in comprehensions and lambdas too.
import sys
def where():
    return sys._getframe(1).f_lineno, sys._getframe(1).f_code.co_name
print(where())
x = [where()
     for _ in range(1)]
print(x, lambda_where := (lambda: where())())
