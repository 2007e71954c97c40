# At module level locals() is globals(), and writes to it count.
print(locals() is globals())
x = 1
locals()["y"] = 2
print(y, "x" in globals())
