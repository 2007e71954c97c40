# /dev/stdin reads the pipe, and /dev/fd/0 then finds it empty.
with open("/dev/stdin") as f:
    print(repr(f.read()), f.fileno())
print(repr(open("/dev/fd/0").read()))
