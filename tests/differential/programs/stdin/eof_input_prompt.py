# input() prints its prompt, and the second call meets the end.
print(repr(input("first? ")))
print(repr(input("second? ")))
