# Endless recursion in repr prints the usual traceback.
class A:
    def __repr__(self):
        return repr(self)
print(repr(A()))
