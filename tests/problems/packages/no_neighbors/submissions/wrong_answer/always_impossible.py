print(1 if int(input()) == 1 else -1)
