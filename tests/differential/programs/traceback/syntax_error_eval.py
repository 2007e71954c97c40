# A syntax error from eval names <string> and the calling lines.
def f():
    return eval("1 +* 2")
f()
