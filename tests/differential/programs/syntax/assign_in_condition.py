# A single equals sign in a condition suggests a comparison.
x = 1
if x = 2:
    pass
