class P:
    def __str__(self):
        return "object prompt "
print(input(P()))
print(repr(input(None)))
