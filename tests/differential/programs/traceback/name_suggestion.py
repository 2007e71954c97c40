# A misspelled name gets a suggestion.
print_me = 1
def f():
    return prnt_me
f()
