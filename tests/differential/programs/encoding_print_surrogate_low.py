print("before")
print("escaped \udce9\udcff")
print("after")
