# A string with bytes that are no UTF-8 is an error.
print(1)
x = "ÿþ"
