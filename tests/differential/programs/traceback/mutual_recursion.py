# Two functions that call each other are not shortened like one.
import sys
sys.setrecursionlimit(80)
def f(n):
    return g(n + 1)
def g(n):
    return f(n + 1)
f(0)
