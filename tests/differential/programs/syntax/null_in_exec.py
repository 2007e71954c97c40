# exec refuses a null byte, and compile refuses an unknown encoding.
try:
    exec("x = 1\0")
except (ValueError, SyntaxError) as e:
    print(type(e).__name__, e)
try:
    compile(b"# coding: nope\nx", "f", "exec")
except SyntaxError as e:
    print(e.msg, e.filename, e.lineno)
