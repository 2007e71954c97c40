# A caught syntax error carries its message, position and text.
try:
    exec("a = 1\nb = = 2\n")
except SyntaxError as e:
    print(e.msg, e.lineno, e.offset, e.end_lineno, e.end_offset, repr(e.text), e.filename)
