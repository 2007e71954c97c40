# A triple-quoted string without its end is an error.
x = 1
y = """abc
def
