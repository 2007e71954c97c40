# return at module level is an error.
x = 1
return x
