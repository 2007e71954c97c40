print("before")
print("bad \ud800")
