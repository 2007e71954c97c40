# Lines that end in CRLF, also inside a string, read as newlines.
def f():
    return """a
b"""
print(repr(f()))
1/0
