import os
print(os.read(0, 4))
print(input())
print(os.read(0, 10))
print(input())
