# A dollar sign in an expression is an error.
x = 1 $ 2
