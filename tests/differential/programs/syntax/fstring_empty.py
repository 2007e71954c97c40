# An f-string with an empty expression is an error.
print(f"{}")
