# Low surrogates that stand for bytes are written as those bytes.
print("before")
print("escaped \udce9\udcff")
print("after")
