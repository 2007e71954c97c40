# attack: search every object the warm interpreter left for an earlier program's input
# contained: the zygote never reads a request; each child is forked before its launch spec is known
# expect: ok
# victim: true
# stdout: contained

gc = __import__("g" + "c")  # so that this stays a fork of the warm interpreter

token = "".join(chr(ord(c) + 1) for c in "rdbqds,ne,`m,d`qkhdq,qtm")
mine = [token]
for thing in gc.get_objects():
    if thing is mine or thing is globals():
        continue
    try:
        if token in repr(thing)[:100_000]:
            print("ESCAPED:", type(thing))
    except Exception:
        pass
print("contained")
