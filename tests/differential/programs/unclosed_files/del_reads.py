# A finalizer at exit reads what another object wrote.
class Reader:
    def __init__(self, f):
        self.f = f
    def __del__(self, open=open):
        self.f.close()
        print(repr(open("g.txt").read()))
f = open("g.txt", "w")
f.write("text")
r = Reader(f)
