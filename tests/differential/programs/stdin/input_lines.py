# input() strips newlines and keeps carriage returns.
for _ in range(4):
    print(repr(input("> ")))
