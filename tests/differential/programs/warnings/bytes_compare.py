# Comparing bytes with text and printing bytes do not warn.
print(b"a" == "a", str(b"x"))
