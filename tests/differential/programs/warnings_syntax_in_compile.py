compile("x is 'a'", "elsewhere.py", "exec")
compile("'\\q'", "elsewhere.py", "exec")
