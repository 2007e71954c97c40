# A program that ignores a large standard input ends well.
print("never reads stdin")
