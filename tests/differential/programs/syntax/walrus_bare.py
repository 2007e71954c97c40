# A bare assignment expression is an error.
x := 1
