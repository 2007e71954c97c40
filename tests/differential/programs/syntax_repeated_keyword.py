print("x", end="", end="")
