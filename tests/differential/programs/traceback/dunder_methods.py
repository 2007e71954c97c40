# A context manager sees the AttributeError that then ends the program.
class A:
    def __getattr__(self, n):
        raise AttributeError(f"A has no {n!r}", name=n, obj=self)
    def __enter__(self):
        return self
    def __exit__(self, *a):
        print("exit", a[0].__name__)
with A() as a:
    a.thing
