# globals(), vars() and dir() list the names of a plain start.
print(sorted(globals()))
print(list(globals()))
print(sorted(vars()), sorted(dir()) == sorted(globals()))
