print(locals() is globals())
x = 1
locals()["y"] = 2
print(y, "x" in globals())
