# Objects stored on other modules are freed at exit in the usual order.
import os
import types
class A:
    def __init__(self, n):
        self.n = n
    def __del__(self, write=os.write):
        write(1, b"del " + self.n + b"\n")
import json
import sys
json.extra = A(b"json")
m = types.ModuleType("fake")
m.extra = A(b"fake")
sys.modules["fake"] = m
g = A(b"main global")
print("end")
