# A nested exception class with a text of two lines is printed.
class Outer:
    class AppError(Exception):
        def __str__(self):
            return "custom str\nline two"
raise Outer.AppError(1, 2)
