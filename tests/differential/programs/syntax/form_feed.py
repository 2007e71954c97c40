# Form feeds at the start of lines do not count as indentation.
x = 1

if x:
    print("ff")
