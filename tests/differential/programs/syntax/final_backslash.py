# A backslash as the very last character is an error.
x = 1
y = x + \