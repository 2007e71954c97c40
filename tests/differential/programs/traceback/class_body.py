# An error in a nested class body shows both bodies.
class A:
    x = 1
    class B:
        y = undefined_thing
