# A module imports __main__, sees its names and adds one.
with open("uses_main.py", "w") as f:
    f.write("import __main__\nprint(sorted(n for n in vars(__main__) if n.islower() and not n.startswith('_')))\n__main__.added = 1\n")
first = 1
import uses_main
print(added, first)
