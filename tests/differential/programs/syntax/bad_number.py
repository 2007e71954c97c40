# A decimal number with a leading zero is an error.
x = 0777
