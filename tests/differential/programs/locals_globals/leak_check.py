# No name of the runner leaks into the program.
for name in ("os", "sys", "code", "compile_", "f", "source", "ns", "request", "job", "io", "signal", "_", "x"):
    try:
        eval(name)
        print("leaked", name)
    except NameError:
        pass
print("checked")
