# Twenty-six global objects are freed at exit in the order of their definition.
class A:
    def __init__(self, n):
        self.n = n
    def __del__(self, out=[], emit=print):
        out.append(self.n)
        if len(out) == 27:
            emit("".join(out))
for ch in "qwertyuiopasdfghjklzxcvbnm":
    globals()["v" + ch] = A(ch)
del globals()["vq"]
vq = A("Q")
