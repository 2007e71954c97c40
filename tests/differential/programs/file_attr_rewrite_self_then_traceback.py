with open(__file__, "w") as out:
    out.write("# one\n# two\n# three\n# changed line four\n# changed five\n")
def f():
    raise RuntimeError("source was changed")
f()
