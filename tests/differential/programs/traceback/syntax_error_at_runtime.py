# A syntax error from compile names the given file.
source = "x = 1\ny = (2,\nz = ]\n"
compile(source, "given.py", "exec")
