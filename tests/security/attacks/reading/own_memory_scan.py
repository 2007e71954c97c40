# attack: scan all of the child's own memory, a copy of the zygote's, for an earlier program's input
# contained: the zygote never reads a request
# expect: ok
# victim: true
# stdout: contained

token = bytes(c + 1 for c in b"rdbqds,ne,`m,d`qkhdq,")
own = "/pr" + "oc/self/"  # so that this stays a fork of the warm interpreter
found = 0
with open(own + "maps") as maps, open(own + "mem", "rb", 0) as memory:
    for line in maps:
        spans, rights = line.split()[:2]
        if not rights.startswith("rw") or "[v" in line:
            continue
        begin, end = (int(x, 16) for x in spans.split("-"))
        try:
            memory.seek(begin)
            content = memory.read(min(end - begin, 1 << 23))
        except OSError:
            continue
        at = content.find(token)
        while at >= 0:
            found += content[at + len(token) : at + len(token) + 5] == b"run: "
            at = content.find(token, at + 1)
print(f"ESCAPED: {found}" if found else "contained")
