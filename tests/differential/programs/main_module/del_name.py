# Without __name__, the name and a new class's module are those of the built-in module.
del __name__
try:
    print(__name__)
except NameError as e:
    print(type(e).__name__, e)
class C:
    pass
print(C.__module__)
