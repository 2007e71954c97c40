# An error inside a generator shows the loop and the generator.
def gen():
    yield 1
    raise RuntimeError("inside generator")
for v in gen():
    print(v)
