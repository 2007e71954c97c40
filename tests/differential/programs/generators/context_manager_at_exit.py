# A context manager that is entered by hand leaves at exit.
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
