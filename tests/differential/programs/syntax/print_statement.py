# The print statement of Python 2 is an error with a suggestion.
print "hello"
