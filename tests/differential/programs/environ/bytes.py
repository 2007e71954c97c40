# Raw bytes in the environment decode to surrogates, and wrong names and types are refused.
import os
os.environb[b"RAW"] = b"\xff\xfe"
print(ascii(os.environ["RAW"]), os.getenvb(b"RAW"), type(os.environ).__name__)
try:
    os.environ["A=B"] = "x"
except ValueError as e:
    print(e)
try:
    os.environ["A"] = 1
except TypeError as e:
    print(e)
