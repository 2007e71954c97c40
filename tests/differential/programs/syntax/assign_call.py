# An assignment to a call is a syntax error.
f() = 3
