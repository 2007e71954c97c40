# The frames below a function, a lambda and a comprehension end at the module.
import sys
def depth():
    n, fr = 0, sys._getframe()
    while fr:
        n, fr = n + 1, fr.f_back
    return n
print(depth(), (lambda: depth())(), [depth() for _ in range(1)])
try:
    sys._getframe(1)
except ValueError as e:
    print(e)
