# A starred target must be in a list or tuple.
*x = [1]
