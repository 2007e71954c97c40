print(sorted(globals()))
print(list(globals()))
print(sorted(vars()), sorted(dir()) == sorted(globals()))
