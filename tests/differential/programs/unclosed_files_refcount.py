open("e.txt", "w").write("closed at once")
print(repr(open("e.txt").read()))
