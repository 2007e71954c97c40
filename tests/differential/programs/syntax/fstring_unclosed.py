# An f-string with a brace that never ends is an error.
print(f"{name")
