# input() prints the text of a prompt that is an object.
class P:
    def __str__(self):
        return "object prompt "
print(input(P()))
print(repr(input(None)))
