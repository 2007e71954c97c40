# print to an object without write() raises AttributeError.
import sys
sys.stdout = object.__new__(type("Odd", (), {"__repr__": lambda s: "<Odd>"}))
print("x")
