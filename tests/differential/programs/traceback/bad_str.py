# An exception whose text cannot be made is still reported.
class E(Exception):
    def __str__(self):
        raise ValueError("no str")
raise E("x")
