# A word that is no number raises ValueError with its traceback.
a, b = map(int, input().split())
print(a + b)
