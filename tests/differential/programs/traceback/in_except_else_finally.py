# An error in finally replaces the return, and one in else ends the program.
def f():
    try:
        return 1
    finally:
        raise OSError("from finally")
try:
    f()
except OSError as e:
    print("caught", e, e.__context__)
try:
    pass
except Exception:
    pass
else:
    raise ValueError("from else")
finally:
    print("finally ran")
