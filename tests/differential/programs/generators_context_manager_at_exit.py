import contextlib
@contextlib.contextmanager
def cm():
    print("enter")
    try:
        yield
    finally:
        print("exit")
c = cm()
c.__enter__()
print("end")
