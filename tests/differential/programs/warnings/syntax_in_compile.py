# Syntax warnings from compile name the given file.
compile("x is 'a'", "elsewhere.py", "exec")
compile("'\\q'", "elsewhere.py", "exec")
