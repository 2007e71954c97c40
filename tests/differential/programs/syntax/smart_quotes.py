# Typographic quotation marks are an error.
print(“hello”)
