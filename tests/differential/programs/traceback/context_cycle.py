# Exceptions that are each other's context are printed once.
a = ValueError("a")
b = ValueError("b")
a.__context__ = b
b.__context__ = a
raise a
