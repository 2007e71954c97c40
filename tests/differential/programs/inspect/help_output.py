# help() prints the page of a function and of a class.
def area(w, h=2):
    """Return the area."""
    return w * h
class Shape:
    """A shape."""
    sides = 3
help(area)
help(Shape)
