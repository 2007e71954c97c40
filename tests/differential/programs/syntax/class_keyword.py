# A keyword cannot be a variable.
class = 3
