for _ in range(4):
    print(repr(input("> ")))
