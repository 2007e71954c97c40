# A raised recursion limit allows 150,000 nested Python calls.
import sys
sys.setrecursionlimit(200000)
def f(n):
    return 0 if n == 0 else 1 + f(n - 1)
print(f(150000))
