# A non-breaking space in the code is an error.
x = 1
y = 2
