# A file without a name is closed right after its write.
open("e.txt", "w").write("closed at once")
print(repr(open("e.txt").read()))
