# A StopIteration that leaks from a generator becomes a RuntimeError.
def gen():
    yield 1
    next(iter(()))
list(gen())
