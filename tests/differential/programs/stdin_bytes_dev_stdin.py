with open("/dev/stdin") as f:
    print(repr(f.read()), f.fileno())
print(repr(open("/dev/fd/0").read()))
