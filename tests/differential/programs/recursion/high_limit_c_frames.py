# Thousands of calls through C fit under a raised recursion limit.
import sys
sys.setrecursionlimit(12000)
class A:
    def __init__(self, n):
        self.n = n
    def __int__(self):
        return 0 if self.n == 0 else 1 + int(A(self.n - 1))
print(int(A(5000)))
