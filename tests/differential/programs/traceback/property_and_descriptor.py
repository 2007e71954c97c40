# An error inside a property shows the property's frame.
class A:
    @property
    def x(self):
        return self._missing
    def __setattr__(self, k, v):
        raise TypeError(f"frozen: {k}")
try:
    A().y = 1
except TypeError as e:
    print(e)
A().x
