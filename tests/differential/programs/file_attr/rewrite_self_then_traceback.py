# A traceback shows the new source lines after the program rewrites its own file.
with open(__file__, "w") as out:
    out.write("# one\n# two\n# three\n# four\n# changed line five\n# changed six\n")
def f():
    raise RuntimeError("source was changed")
f()
