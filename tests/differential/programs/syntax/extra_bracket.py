# An unmatched closing parenthesis is an error.
x = 1)
