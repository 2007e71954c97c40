# A truncated hexadecimal escape in a string is an error.
x = "\x4"
