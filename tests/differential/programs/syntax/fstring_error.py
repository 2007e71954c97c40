# An f-string with an unknown conversion is an error.
name = "x"
print(f"{name!z}")
