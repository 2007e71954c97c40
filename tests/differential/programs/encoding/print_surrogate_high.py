# Printing a high surrogate fails after the first line is out.
print("before")
print("bad \ud800")
