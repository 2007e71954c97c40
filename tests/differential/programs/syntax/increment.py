# The ++ operator of other languages is an error.
x = 1
x++
