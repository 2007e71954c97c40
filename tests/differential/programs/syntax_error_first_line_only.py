)
print("unreachable")
