# A bracket that ends with a parenthesis is an error.
x = [1, 2)
